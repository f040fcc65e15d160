"""Gets every URL with the library that is named first: urllib, requests, httpx or aiohttp."""

import asyncio
import importlib
import sys
import urllib.request
from typing import Any


def of_urllib(url: str) -> int:
    """The status that urllib gets."""
    with urllib.request.urlopen(url) as response:  # noqa: S310
        return int(response.status)


def of_aiohttp(url: str) -> int:
    """The status that aiohttp gets, which reads the environment only when it is told to."""
    aiohttp: Any = importlib.import_module("aiohttp")

    async def ask() -> int:
        async with aiohttp.ClientSession(trust_env=True) as session, session.get(url) as response:
            return int(response.status)

    return asyncio.run(ask())


def of_library(name: str, url: str) -> int:
    """The status that requests and httpx get, which are called alike."""
    return int(importlib.import_module(name).get(url).status_code)


name, *urls = sys.argv[1:]
for url in urls:
    if name == "urllib":
        status = of_urllib(url)
    else:
        status = of_aiohttp(url) if name == "aiohttp" else of_library(name, url)
    sys.stdout.write(f"{status}\n")
