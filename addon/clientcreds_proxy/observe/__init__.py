"""What one can see: the log."""
