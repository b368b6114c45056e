"""Short messages between the processes of one database. They wake and route; rows guarantee."""

import json
from typing import Any

from callcenter.storage.pool import Database

MAX_BYTES = 7900
"""PostgreSQL takes less than 8000 bytes in one notification."""

_NOTIFY = "SELECT pg_notify($1, $2)"


class Messages:
    """Sends; a ``Listener`` receives."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Send one JSON object to every listening process.

        Raises ``ValueError`` above ``MAX_BYTES`` and ``StorageError`` when the database is away.
        """
        payload = json.dumps(message, separators=(",", ":"))
        if len(payload.encode()) > MAX_BYTES:
            raise ValueError(f"a message of {len(payload)} bytes is too long for a notification")
        await self._database.execute(_NOTIFY, channel, payload)
