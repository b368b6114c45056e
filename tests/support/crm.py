"""Another system as it may be on a bad day: a server that answers whatever a test wants, byte by byte."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ivr import LookUp, Request, Secret

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SECRET = "s3cret-t0ken"


@dataclass
class Crm:
    """A server; ``heard`` has the requests, head and body."""

    heard: list[str] = field(default_factory=list)
    answer: Answer | None = None
    port: int = 0
    at_once: int = 0
    most_at_once: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *([0-9]+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            self.heard.append((head + body).decode())
            self.at_once += 1
            async with self.changed:
                self.changed.notify_all()
            self.most_at_once = max(self.at_once, self.most_at_once)
            assert self.answer is not None
            await self.answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            writer.close()

    async def until(self, at_once: int) -> None:
        """Wait until so many requests are under way."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: self.at_once >= at_once)

    def says(self, body: bytes, kind: str = "application/json", status: str = "200 OK", *more: str) -> None:
        """Answer this to everybody."""
        head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]

        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write("\r\n".join([*head, "Connection: close", "", ""]).encode() + body)
            await writer.drain()

        self.answer = answer


@asynccontextmanager
async def crm_running() -> AsyncIterator[Crm]:
    """A server on a port of its own."""
    crm = Crm()
    server = await asyncio.start_server(crm.serve, "127.0.0.1", 0)
    crm.port = server.sockets[0].getsockname()[1]
    async with server:
        yield crm


def asking(url: str, timeout_s: float = 2, **more: Any) -> LookUp:
    """A lookup of the customer's name by a number that no log may tell."""
    into = more.pop("into", {"name": "$.customer.name"})
    headers = {"Authorization": Secret(env="CRM_TOKEN", prefix="Bearer ")} | more.pop("headers", {})
    body = more.pop("body", None)
    method = "GET" if body is None else "POST"
    return LookUp(7, "crm", Request(method, f"{url}/v1/%2B12025550123", headers, body, timeout_s, into))
