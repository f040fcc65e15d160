"""Tokens that several processes share: sealed records, one flight for all, and Redis."""
