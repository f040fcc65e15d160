"""`clientcreds init`: a first configuration, out of a few answers."""
