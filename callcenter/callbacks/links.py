"""Links that customers get: to see, move or cancel their callback, or to book it again."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from callback import links
from callback.errors import NotFoundError
from callback.links import Purpose, Token
from callback.request import Callback
from callback.store import Store
from callcenter.config import Settings


class Links:
    """Makes and reads them; the key is one for all processes, made when it is first needed."""

    def __init__(self, store: Store, settings: Settings, now: Callable[[], datetime]) -> None:
        self._store = store
        self._address = settings.server.public_url.rstrip("/")
        self._days = settings.callbacks.page.link_days
        self._now = now
        self._key = b""

    async def key(self) -> bytes:
        """What signs links and codes."""
        if not self._key:
            self._key = await self._store.signing_key()
        return self._key

    async def link(self, callback: Callback, purpose: Purpose) -> str:
        """The address for the customer; without ``server.public_url`` a path on this service."""
        since = max(self._now(), callback.expires_at)
        nonce = secrets.token_bytes(links.NONCE_BYTES)
        token = Token(callback.callback_id, purpose, since + timedelta(days=self._days), nonce)
        return f"{self._address}/callback/{links.sign(token, await self.key())}"

    async def callback_of(self, text: str, purpose: Purpose) -> Callback:
        """The callback that a link is about; raises ``NotFoundError`` for one that is not good (any more)."""
        token = links.read(text, purpose, await self.key(), self._now())
        if token is None:
            raise NotFoundError("this link is not good, or not any more")
        return await self._store.get(token.callback_id)
