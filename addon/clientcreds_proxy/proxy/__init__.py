"""mitmproxy's edge: its hooks, and what stands between them and the pure rooms."""
