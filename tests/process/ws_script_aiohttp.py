"""A client for ws_clients_test.ts: Python's aiohttp. It prints what it saw, as one line of JSON."""

import asyncio
import json
import sys

import aiohttp


async def talk(url, compress):
    """Echo, and closing from either side. aiohttp sends no fragments."""
    options = {"compress": compress, "max_msg_size": 0, "protocols": ["firn.1", "other"], "autoclose": False}
    echoed = 0
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, **options) as socket:
            for length in [0, 1, 125, 126, 1000, 65535, 65536, 300000]:
                for message in ["a" * length, "é" * (length // 2), bytes(i * i % 256 for i in range(length))]:
                    if isinstance(message, str):
                        await socket.send_str(message)
                    else:
                        await socket.send_bytes(message)
                    assert (await socket.receive()).data == message
                    echoed += 1
            await socket.ping(b"hello")
            extensions = "permessage-deflate" if socket.compress else ""
            protocol = socket.protocol
            await socket.send_str("close 4002 enough")
            end = await socket.receive()
            # By default it answers any close code with 1000.
            await socket.close(code=end.data)
            received = {"code": end.data, "reason": end.extra, "wasClean": end.type == aiohttp.WSMsgType.CLOSE}
        second = await session.ws_connect(url, **options)
        await second.close(code=4001, message=b"done")
        # Its `close_code` is the server's.
        ownClose = {"code": second.close_code, "reason": "done", "wasClean": True}
    print(
        json.dumps(
            {
                "echoed": echoed,
                "fragments": "",
                "extensions": extensions,
                "protocol": protocol,
                "received": received,
                "ownClose": ownClose,
            }
        )
    )


asyncio.run(talk(sys.argv[1], 15 if len(sys.argv) > 2 else 0))
