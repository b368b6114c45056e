"""Watches the service as anybody may, over its live socket."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import ClientError, ClientSession, WSMsgType

log = logging.getLogger(__name__)

HEARTBEAT_S = 20.0
RECONNECT_S = 0.5

Take = Callable[[Mapping[str, Any]], None]


async def watch(session: ClientSession, url: str, token: str, take: Take) -> None:
    """Give every message of the live socket to ``take`` until cancelled; connects again when it is lost."""
    headers = {"Authorization": f"Bearer {token}"}
    while True:
        try:
            async with session.ws_connect(
                f"{url}/api/v1/live", headers=headers, heartbeat=HEARTBEAT_S
            ) as socket:
                await socket.send_json({"subscribe": ["events", "transcript", "partials", "state"]})
                async for message in socket:
                    if message.type is WSMsgType.TEXT:
                        take(json.loads(message.data))
        except (ClientError, TimeoutError) as error:
            log.info("the live socket was lost: %s", type(error).__name__)
        await asyncio.sleep(RECONNECT_S)
