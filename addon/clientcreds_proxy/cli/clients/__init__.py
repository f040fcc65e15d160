"""What clients must be told to go through the proxy and to trust it, and what they may not see."""
