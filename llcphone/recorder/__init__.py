"""Recordings of calls: the caller on the left, the agent as it was heard on the right.

recording   what a call gives away of its stream, while it speaks
messages    what is read of the stream's messages
layout      where each piece of it lies in time
heard       where the agent's audio lies, by its marks
wav         the file
recorder    the thread that writes the files of all calls
folder      finding and deleting them
reading     giving one to a browser
"""
