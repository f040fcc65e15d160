"""Files as plain values, each with its position, their references resolved."""
