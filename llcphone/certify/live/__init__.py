"""The questions to GPT-Live: one or two short sessions each, fed in real time, with all events recorded.

session     one session: what was sent, what was heard
sound       the questions about its audio and its clock
speaking    the questions about what makes it speak, and what makes it stop
limits      the questions about its ends and limits
"""
