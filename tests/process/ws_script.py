"""A client for ws_clients_test.ts: Python's websockets. It prints what it saw, as one line of JSON."""

import asyncio
import json
import sys

import websockets


async def talk(url, compression):
    """Echo, fragments, and closing from either side."""
    options = {"compression": compression, "max_size": None, "subprotocols": ["firn.1", "other"]}
    echoed = 0
    async with websockets.connect(url, **options) as socket:
        for length in [0, 1, 125, 126, 1000, 65535, 65536, 300000]:
            for message in ["a" * length, "é" * (length // 2), bytes(i * i % 256 for i in range(length))]:
                await socket.send(message)
                assert await socket.recv() == message
                echoed += 1
        await socket.send(["frag", "men", "ts"])
        fragments = await socket.recv()
        pong = await socket.ping("hello")
        await pong
        extensions = ", ".join(sorted(each.name for each in socket.extensions))
        protocol = socket.subprotocol
        await socket.send("close 4002 enough")
        try:
            await socket.recv()
        except websockets.ConnectionClosed:
            pass
        received = {"code": socket.close_code, "reason": socket.close_reason, "wasClean": True}
    second = await websockets.connect(url, **options)
    await second.close(4001, "done")
    ownClose = {"code": second.close_code, "reason": second.close_reason, "wasClean": True}
    print(
        json.dumps(
            {
                "echoed": echoed,
                "fragments": fragments,
                "extensions": extensions,
                "protocol": protocol,
                "received": received,
                "ownClose": ownClose,
            }
        )
    )


asyncio.run(talk(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
