"""Below mitmproxy's hooks: what relies on its inner workings. A new mitmproxy is tried here first."""
