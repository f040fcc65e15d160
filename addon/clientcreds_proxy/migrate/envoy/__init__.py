"""Envoy's bootstrap with `credential_injector` and `injected_credentials.oauth2`.

reader.py    listeners, routes and clusters -> rules
injector.py  one filter -> a token source, and what its rules say
cluster.py   where a cluster is, and whether it speaks TLS
place.py     domains and routes -> what a rule matches
headers.py   request_headers_to_add and …_to_remove -> modifiers
field.py     names of fields, which Envoy takes in two spellings
"""
