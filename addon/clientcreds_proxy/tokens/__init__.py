"""A token for a source: fetched once, kept, renewed ahead, its failures remembered.

source.py   what a request asks: first memory, then what is shared, then the server
callers.py  the same for callers with credentials of their own; credentials.py: where those stand in a request
keeping/    memory: one flight for each key, and how long tokens and failures count
stores/     tokens that several processes share
fetch.py    one token from the server, composed of the four that follow
proof/      how a client proves itself: secrets, signed assertions, certificates, DPoP
asking/     the token request and its answer
server/     the way there: HTTP with it, and what it says about itself
verify/     whether what a token says is true; claims/: what it says, and conditions on that
model.py    the nouns; clock.py: the real clock; ending.py: how what runs in the background ends
remarks.py  what a good server could do better
"""
