"""Greets each client by name, and sends every message back."""

import asyncio
import os
import signal
from urllib.parse import unquote

import websockets


def headers_of(websocket):
    # websockets 14 and later: `request.headers`; earlier versions: `request_headers`.
    return websocket.request.headers if hasattr(websocket, "request") else websocket.request_headers


async def greet(websocket):
    # Set by Oncegate on every connection that it lets through, and on no other.
    subject = headers_of(websocket).get("Oncegate-Subject")
    if not subject:
        # It came past the gateway. The connection is open, so all that is left is to close it.
        await websocket.close(1011, "not signed in")
        return
    await websocket.send(f"Hello, {unquote(subject)}")
    async for message in websocket:
        await websocket.send(message)


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    # Only the gateway, on the same machine, can reach it.
    async with websockets.serve(greet, "127.0.0.1", int(os.environ.get("PORT", "8000"))) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await stop.wait()


asyncio.run(main())
