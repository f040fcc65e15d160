"""mitmproxy's edge: its hooks, and what stands between them and the pure rooms.

addon.py        the hooks of a request; connections.py, tunnel.py: those before there is one
request/        what they do, step by step: caller, token, modifiers, attaching, the answer, a second try
refusal.py      our own answers; fail_closed.py: an exception in a hook is one, too
guard.py        after all other addons: is it still the same destination
inside/         below the hooks: bytes on the wire, streams, client certificates, dispatch
house/          the configuration in force, and what its tokens come from
serving/        the process: options, listening, `serve` and `web`, the status server
explaining/     the same decisions without a running proxy
closed.py       what stands here while the addon is loaded again
"""
