"""The token request and its answer, as bytes and as values."""
