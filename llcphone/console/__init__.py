"""The console: pages that show calls in a browser, and a telephone there; on a port of their own.

open     where it listens, and what belongs to it
port     the listener: static files, signing in, sockets; what is left goes to ``app``
origin   whose page a request comes from
access   who somebody is: keys, links, bearer tokens, tickets
line     the telephone in the browser
static   the files of ``web/``
app      the JSON routes: ``state``, ``calls`` (one call) and ``operations``
console  what they share
"""
