"""Kong's declarative format, as deck writes it: services, routes and the two plugins that attach tokens.

reader.py          the file -> rules
defaults.py        what deck fills in where services and routes say nothing
plugins.py         which plugin a route has: its own, its service's, or the global one
place.py           services and routes -> what a rule matches
openid_connect.py  `openid-connect` with client credentials: callers bring their own
upstream_oauth.py  `upstream-oauth`: the gateway's credentials
parts.py           what both have: parameters, headers, proxies, TLS, Redis
values.py          deck's `${{ env "…" }}` and Kong's `{vault://…}`
names.py           what else there is, and why it has no meaning here
"""
