"""The proxy as a process: how it starts, where it listens, what it tells about itself."""
