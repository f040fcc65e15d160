"""Traefik Hub's Middleware resources with oAuthClientCredentials, and the IngressRoutes that use them.

reader.py      the resources of a file -> rules
chain.py       chains of middlewares
middleware.py  one Middleware -> a token source, and what its rules say
urn.py         `urn:k8s:secret:NAME:KEY`, and how it is misspelt
match.py       the language of routes: Host(`…`) && PathPrefix(`…`) -> what a rule matches
"""
