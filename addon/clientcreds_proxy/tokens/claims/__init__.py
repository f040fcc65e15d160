"""What a token says about itself, and conditions on it."""
