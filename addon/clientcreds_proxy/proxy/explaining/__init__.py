"""A request or a token source looked at without a running proxy, by the code that decides in one."""
