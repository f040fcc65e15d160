"""The way to an authorization server: HTTP with it, and what it says about itself."""
