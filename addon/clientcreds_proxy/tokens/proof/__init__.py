"""How a client proves itself: secrets, signed assertions, certificates, keys that tokens are bound to."""
