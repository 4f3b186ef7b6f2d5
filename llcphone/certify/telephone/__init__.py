"""The questions to the carrier: the account's number is called by itself, and both legs of the call are ours.

stream     one leg's media stream: what was received, and when
port       the public port while questions are asked: webhooks and media streams
line       places calls to the number, and hangs up whatever happens
media, webhooks, placing    the questions
"""
