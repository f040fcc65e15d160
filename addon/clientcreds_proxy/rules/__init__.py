"""Step 1: which rule is a request's? Pure; what is put into the request is decided elsewhere."""
