"""A WebSocket backend."""
import asyncio
import threading

import websockets

from .waiting import seconds


class EchoServer:
    """A websockets server in a thread of its own that sends back what it gets."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.headers = []
        self.closed = []
        started = threading.Event()

        async def echo(socket):
            self.headers.append(socket.request_headers)
            try:
                async for message in socket:
                    await socket.send(message)
            finally:
                self.closed.append(socket.close_code)

        async def main():
            self.stopping = asyncio.Event()
            async with websockets.serve(echo, "127.0.0.1", 0, max_size=None,
                                        compression=None, ping_interval=None) as server:
                self.port = server.sockets[0].getsockname()[1]
                started.set()
                await self.stopping.wait()

        self.thread = threading.Thread(target=lambda: self.loop.run_until_complete(main()))
        self.thread.start()
        assert started.wait(seconds(10))

    def __str__(self):
        return f"127.0.0.1:{self.port}"

    def stop(self):
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(seconds(10))
        self.loop.close()
