"""`python -m clientcreds_proxy.cli`: the command from a checkout."""

from clientcreds_proxy.cli.main import main

main()
