"""Which keys there are, what each takes on its own, and what is said where it does not."""
