"""The `clientcreds` command: `main.py` ties together one file for each family of commands."""
