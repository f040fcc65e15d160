"""The mitmproxy script: `mitmdump -s addon/clientcreds.py`.

mitmproxy takes every name in this module that is also a hook's for a hook, so it has one name only. It runs
the file again when it is touched; forgetting the package first makes that a reload of everything.
"""

import sys as _sys

for _name in [name for name in _sys.modules if name.partition(".")[0] == "clientcreds_proxy"]:
    del _sys.modules[_name]

try:
    from clientcreds_proxy.proxy.addon import ClientCreds as _ClientCreds  # noqa: TID251 - the door
except ImportError as _error:
    print(f"clientcreds: {_error}; ./scripts/run installs what is missing", file=_sys.stderr)  # noqa: T201
    _sys.exit(1)

addons = [_ClientCreds()]
