"""An authorization server and a protected API on loopback: what `scripts/demo` shows and tests talk to.

listening.py             one tornado application on one port
authorization_server.py  RFC 6749's client credentials, signed JWTs, JWKS
api.py                   who calls? The API that checks these tokens
__main__.py              both servers, until Ctrl-C
transcript.py            servers and proxy together, and the requests that `scripts/demo` shows
"""
