"""`python -m clientcreds_proxy.demo`: the two servers of config/demo.yaml until Ctrl-C, without a proxy."""

import argparse
import asyncio
import sys

from clientcreds_proxy.demo.ending import run
from clientcreds_proxy.demo.servers import API_PORT, AUTHORIZATION_SERVER_PORT, servers


async def serve(arguments: argparse.Namespace) -> int:
    """Print where the servers listen, and let them."""
    try:
        async with servers(
            authorization_server_port=arguments.authorization_server_port,
            api_port=arguments.api_port,
            lifetime_seconds=arguments.lifetime,
        ) as urls:
            print(f"authorization server {urls.authorization_server}", flush=True)
            print(f"protected API        {urls.api}", flush=True)
            await asyncio.Event().wait()
    except OSError as error:
        print(f"can't listen there: {error}; port 0 takes a free one", file=sys.stderr)
    return 1


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m clientcreds_proxy.demo", description=__doc__)
    parser.add_argument("--authorization-server-port", type=int, default=AUTHORIZATION_SERVER_PORT)
    parser.add_argument("--api-port", type=int, default=API_PORT)
    parser.add_argument("--lifetime", type=int, default=300, help="of a token, in seconds (300)")
    return run(serve(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
