"""Tokens looked at before they are used: signatures, what they must say, and asking the server."""
