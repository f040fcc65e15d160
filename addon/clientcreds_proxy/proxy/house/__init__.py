"""The configuration at work, and what its tokens come from."""
