"""Tells webhooks of callbacks' changes: every message until it is received or given up.

Each receiver has a task of its own, so that a slow one holds up no other. The outbox in the database says
what is to be told; any number of processes take from it. A notification wakes, polling makes sure. What a
receiver answers besides its status is neither read nor kept.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)

from callback.deliveries import Deliveries, Delivery
from callcenter.callback_settings import Webhook
from callcenter.errors import StorageError
from callcenter.storage.listener import Listener
from callcenter.web.webhook_messages import message_id
from callcenter.web.webhook_signature import signed

log = logging.getLogger(__name__)

CHANNEL = "callback_delivery"
POLL_S = 5.0
LEASE_MARGIN_S = 30.0
GRACE_S = 5.0
PAUSES_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800)
"""After the first try, the second, and so on: ten more within a day."""

LONGEST_ASKED_S = 3600
JITTER = 0.2
PURGE_EVERY_S = 3600.0
KEEP_DAYS = 30
HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "callcenter",
    "Accept-Encoding": "identity",
}

Message = Callable[[Delivery], Awaitable[bytes]]
"""Makes the body of a delivery."""


@dataclass(slots=True)
class WebhookStats:
    """What this process has told; counters only rise."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a receiver does not have it; when it asks to be told again, and whether it never wants to be."""

    reason: str
    again_in_s: float = 0
    for_good: bool = False


class WebhookSender:
    """``async with WebhookSender(...)``: tells until the block ends, and then waits for what is under way."""

    def __init__(
        self,
        deliveries: Deliveries,
        webhooks: Sequence[Webhook],
        message: Message,
        listener: Listener,
        now: Callable[[], datetime],
        *,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self.stats = WebhookStats()
        self._deliveries = deliveries
        self._webhooks = webhooks
        self._message = message
        self._listener = listener
        self._now = now
        self._pauses_s = pauses_s
        self._receivers: list[_Receiver] = []
        self._session: ClientSession | None = None
        self._purging: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if not self._webhooks:
            return self
        # No cookies, no proxies of the environment: what is told goes where the settings say, nowhere else.
        self._session = ClientSession(
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            connector=TCPConnector(limit=0),
            timeout=ClientTimeout(total=None, sock_connect=None),
        )
        self._receivers = [
            _Receiver(hook, self._deliveries, self._try, self._pauses_s, self.stats)
            for hook in self._webhooks
        ]
        self._listener.subscribe(CHANNEL, self._wake, self._wake)
        for receiver in self._receivers:
            receiver.start()
        self._purging = asyncio.create_task(self._purge(), name="webhook purge")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._purging is not None:
            self._purging.cancel()
            await asyncio.gather(self._purging, return_exceptions=True)
        await asyncio.gather(*(receiver.stop() for receiver in self._receivers))
        self._receivers = []
        if self._session is not None:
            await self._session.close()

    def _wake(self, _payload: str = "") -> None:
        for receiver in self._receivers:
            receiver.wake()

    async def _try(self, hook: Webhook, delivery: Delivery) -> _Failure | None:
        """Tell once; ``None`` when the receiver has it."""
        body = await self._message(delivery)
        try:
            async with asyncio.timeout(hook.timeout_s):
                return await self._post(hook, delivery, body)
        except TimeoutError:
            return _Failure(f"no answer within {hook.timeout_s:g} s")
        except (ClientConnectorCertificateError, ClientSSLError):
            return _Failure("the TLS connection failed")
        except ClientConnectorError:
            return _Failure("no connection")
        except (ClientError, OSError, ValueError) as error:
            return _Failure(f"the exchange broke ({type(error).__name__})")

    async def _post(self, hook: Webhook, delivery: Delivery, body: bytes) -> _Failure | None:
        assert self._session is not None, "outside of its async with"
        headers = HEADERS | signed(hook.key, message_id(delivery), self._now(), body)
        async with self._session.post(hook.url, data=body, headers=headers, allow_redirects=False) as answer:
            if 200 <= answer.status < 300:
                return None
            asked = answer.headers.get("Retry-After", "")
            again_in_s = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
            return _Failure(
                f"it answered {answer.status}", min(again_in_s, LONGEST_ASKED_S), answer.status == 410
            )

    async def _purge(self) -> None:
        while True:
            try:
                while await self._deliveries.purge(KEEP_DAYS):
                    pass
            except StorageError as error:
                log.warning("old deliveries stay for now: %s", error)
            await asyncio.sleep(PURGE_EVERY_S)


class _Receiver:
    """One receiver: claims what it is to be told, and tells ``at_once`` at the same time."""

    def __init__(
        self,
        hook: Webhook,
        deliveries: Deliveries,
        attempt: Callable[[Webhook, Delivery], Awaitable[_Failure | None]],
        pauses_s: Sequence[float],
        stats: WebhookStats,
    ) -> None:
        self._hook = hook
        self._deliveries = deliveries
        self._attempt = attempt
        self._pauses_s = pauses_s
        self._stats = stats
        self._woken = asyncio.Event()
        self._claiming: asyncio.Task[None] | None = None
        self._telling: dict[asyncio.Task[None], Delivery] = {}
        self._stopping = False

    def start(self) -> None:
        """Begin."""
        self._claiming = asyncio.create_task(self._run(), name=f"webhook {self._hook.name}")

    def wake(self) -> None:
        """There may be something to tell."""
        self._woken.set()

    async def stop(self) -> None:
        """Claim nothing more, wait for what is under way for a while, give the rest to others."""
        self._stopping = True
        self.wake()
        if self._claiming is not None:
            await asyncio.wait([self._claiming], timeout=GRACE_S)
            self._claiming.cancel()
            await asyncio.gather(self._claiming, return_exceptions=True)
        if self._telling:
            await asyncio.wait(self._telling, timeout=GRACE_S)
        left = dict(self._telling)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if left:
            try:
                async with asyncio.timeout(GRACE_S):
                    await self._deliveries.give_back(list(left.values()))
            except (StorageError, TimeoutError):
                log.warning("webhook %s: %d deliveries wait for their lease", self._hook.name, len(left))

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                await self._claim()
            except StorageError as error:
                log.warning("webhook %s waits: %s", self._hook.name, error)
            except Exception:
                log.exception("webhook %s could not claim; it goes on", self._hook.name)
            try:
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _claim(self) -> None:
        """Begin what there is room for; each that is over makes room for the next."""
        room = self._hook.at_once - len(self._telling)
        if room <= 0:
            return
        claimed = await self._deliveries.claim(self._hook.name, room, self._hook.timeout_s + LEASE_MARGIN_S)
        for delivery in claimed:
            task = asyncio.create_task(self._tell(delivery), name=f"delivery {delivery.delivery_id}")
            self._telling[task] = delivery
            task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling.pop(task, None)
        self.wake()

    async def _tell(self, delivery: Delivery) -> None:
        """Try once and write what came of it; what cannot be written is tried again after the lease."""
        try:
            failure = await self._attempted(delivery)
            if failure is None:
                await self._deliveries.delivered(delivery)
                self._stats.delivered += 1
            else:
                await self._failed(delivery, failure)
        except StorageError as error:
            log.warning("webhook %s: delivery %d waits: %s", self._hook.name, delivery.delivery_id, error)

    async def _attempted(self, delivery: Delivery) -> _Failure | None:
        try:
            return await self._attempt(self._hook, delivery)
        except StorageError:
            raise
        except Exception as error:
            log.exception("webhook %s: delivery %d failed", self._hook.name, delivery.delivery_id)
            return _Failure(f"our own fault ({type(error).__name__})")

    async def _failed(self, delivery: Delivery, failure: _Failure) -> None:
        self._stats.failed += 1
        if failure.for_good or delivery.tries > len(self._pauses_s):
            await self._deliveries.failed(delivery, failure.reason, None)
            self._stats.dead += 1
            log.error(
                "webhook %s: delivery %d is given up after %d tries: %s",
                self._hook.name,
                delivery.delivery_id,
                delivery.tries,
                failure.reason,
            )
            return
        pause_s = self._pauses_s[delivery.tries - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311  # no secret
        await self._deliveries.failed(delivery, failure.reason, max(pause_s, failure.again_in_s))
        log.warning("webhook %s: delivery %d: %s", self._hook.name, delivery.delivery_id, failure.reason)
