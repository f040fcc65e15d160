"""Keys among each other: what contradicts, what is risky, and the frozen values they make."""
