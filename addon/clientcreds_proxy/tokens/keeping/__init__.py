"""Tokens by key, in memory: one flight for all who wait, and failures that are remembered."""
