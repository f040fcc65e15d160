"""A credential-attaching forward proxy on mitmproxy, room by room.

config/   the YAML file, read once and frozen: rules, token sources, and every error of it at once
rules/    which rule is a request's? Pure.
tokens/   a token for it: one fetch at a time, renewed ahead, failures remembered. Pure but for its edges
martian/  what a rule changes in requests and responses, with Martian's names. Pure
proxy/    mitmproxy's hooks: they put one request through the rooms above and refuse what fails
migrate/  configurations of other gateways -> one of ours
observe/  what one can see of it: the access log, the status server
cli/      the `clientcreds` command
demo/     an authorization server and a protected API on loopback, for `scripts/demo` and the tests

`errors.py` draws the tree of all that can go wrong; `secret.py` holds what must never be printed.
"""

__version__ = "0.1.0"
