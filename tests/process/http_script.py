"""An HTTP client for http_clients_test.ts: aiohttp on one kept connection. It prints what it saw, as one line of JSON."""

import asyncio
import json
import sys

import aiohttp


async def chunks():
    for piece in [b"in ", b"chun", b"ks"]:
        yield piece


async def main(url):
    requests = [
        ("GET", "/a", None),
        ("POST", "/b", "counted"),
        ("PUT", "/chunks", chunks()),
        ("HEAD", "/c", None),
        ("GET", "/none", None),
        ("GET", "/stream", None),
        ("POST", "/unread", "x" * 100_000),
        ("GET", "/missing", None),
        ("GET", "/last", None),
    ]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:

        async def ask(method, path, body=None):
            async with session.request(method, url + path, data=body) as response:
                return [response.status, await response.text()]

        answers = [await ask(*request) for request in requests]
        many = await asyncio.gather(*(ask("GET", f"/many/{i}") for i in range(50)))
    print(json.dumps({"answers": answers, "many": [text for _, text in many]}))


asyncio.run(main(sys.argv[2]))
