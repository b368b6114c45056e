"""Webhooks against receivers that behave badly: nothing is lost, nobody is held up, the end is bounded."""

import asyncio
import hmac
import logging
import random
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256

import pytest
from aiohttp import web

from callback.deliveries import Deliveries, Delivery, DeliveryState, Hook
from callback.state import Step
from callback.store import Store
from callcenter.callback_settings import Webhook
from callcenter.callbacks.links import Links
from callcenter.config import Settings
from callcenter.storage.clock import DatabaseClock
from callcenter.storage.listener import Listener
from callcenter.storage.pool import Database
from callcenter.web import webhook_sender
from callcenter.web.webhook_messages import WebhookMessages
from callcenter.web.webhook_sender import WebhookSender
from support.receiver import Receiver, receiving, says
from support.wishes import BY, requested

SECRET = "correct horse battery staple"
QUICK = (0.05, 0.05, 0.05)
Log = pytest.LogCaptureFixture


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_sender, "POLL_S", 0.05)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


class Outbox:
    """What a process has that tells of callbacks."""

    def __init__(self, database: Database, listener: Listener, clock: DatabaseClock) -> None:
        self.database = database
        self.store = Store(database.transaction)
        self.deliveries = Deliveries(database.transaction)
        self.listener = listener
        self.clock = clock
        settings = Settings.model_validate({"server": {"public_url": "https://calls.example.com"}})
        self.messages = WebhookMessages(self.store.get, Links(self.store, settings, clock.now).link)

    @asynccontextmanager
    async def telling(
        self, *hooks: Webhook, pauses_s: Sequence[float] = QUICK
    ) -> AsyncIterator[WebhookSender]:
        await self.deliveries.sync([Hook(hook.name, hook.url, hook.steps) for hook in hooks])
        sender = WebhookSender(
            self.deliveries, hooks, self.messages.of, self.listener, self.clock.now, pauses_s=pauses_s
        )
        async with sender:
            await self.listener.settled()
            yield sender

    async def until(self, state: DeliveryState, count: int) -> None:
        await self.becomes(lambda found: sum(one.state is state for one in found) >= count)

    async def says(self, error: str) -> Delivery:
        """Wait until the newest delivery has failed with this error."""
        return (await self.becomes(lambda found: bool(found) and found[0].last_error == error))[0]

    async def becomes(self, check: Callable[[list[Delivery]], bool]) -> list[Delivery]:
        async with asyncio.timeout(8):
            while True:
                if check(found := await self.deliveries.listed(limit=1000)):
                    return found
                await asyncio.sleep(0.02)


@pytest.fixture
async def outbox(database: Database) -> AsyncIterator[Outbox]:
    async with AsyncExitStack() as stack:
        clock = await stack.enter_async_context(DatabaseClock(database))
        listener = await stack.enter_async_context(Listener(database))
        yield Outbox(database, listener, clock)


def hook(receiver: Receiver, name: str = "crm", **values: object) -> Webhook:
    return Webhook.model_validate({"name": name, "url": receiver.url, "secret": SECRET, **values})


async def test_what_is_told(outbox: Outbox, receiver: Receiver) -> None:
    async with outbox.telling(hook(receiver)) as sender:
        callback = await requested(outbox.store, name="Ada", topic="Delivery", note="for us")
        await receiver.until(2)
        await outbox.until(DeliveryState.DELIVERED, 2)
    assert receiver.types == ["callback.requested", "callback.queued"]
    heard = receiver.heard[1]
    message = heard.message
    assert message["callback"]["callback_id"] == str(callback.callback_id)
    assert message["callback"]["number"] == callback.number
    assert (message["callback"]["name"], message["by"], message["before"]) == ("Ada", BY, "requested")
    assert "for us" not in heard.body.decode()
    assert message["manage_link"].startswith("https://calls.example.com/callback/")
    assert message["again_link"] is None
    assert heard.headers["content-type"] == "application/json"
    content = f"{message['id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    signature = b64encode(hmac.digest(SECRET.encode(), content, sha256)).decode()
    assert heard.headers["webhook-signature"] == f"v1,{signature}"
    assert abs(int(heard.headers["webhook-timestamp"]) - outbox.clock.now().timestamp()) < 5
    assert (sender.stats.delivered, sender.stats.failed) == (2, 0)


async def test_the_last_notice_has_a_link_to_book_again(outbox: Outbox, receiver: Receiver) -> None:
    async with outbox.telling(hook(receiver, steps=["expired"])):
        callback = await requested(outbox.store)
        await outbox.database.execute(
            "WITH e AS (UPDATE callback.callback SET state = 'expired', ended_at = now()"
            " WHERE callback_id = $1) INSERT INTO callback.event (callback_id, step, before, after, by)"
            " VALUES ($1, $2, 'queued', 'expired', 'clock')",
            callback.callback_id,
            Step.EXPIRE.value,
        )
        await receiver.until(1)
    message = receiver.heard[0].message
    assert (message["type"], message["manage_link"]) == ("callback.expired", None)
    assert message["again_link"].startswith("https://calls.example.com/callback/")


async def test_what_was_erased_is_told_to_nobody(outbox: Outbox, receiver: Receiver) -> None:
    receiver.answer = says(500)
    async with outbox.telling(hook(receiver), pauses_s=(0.4, 0.4, 0.4)):
        callback = await requested(outbox.store, name="Ada")
        await receiver.until(1)
        await outbox.store.erase(callback.number, by="user ann")
        receiver.answer = says(204)
        await receiver.until(2)
    assert receiver.heard[0].id == receiver.heard[1].id
    later = receiver.heard[1].message
    assert (later["callback"]["number"], later["callback"]["name"], later["manage_link"]) == ("", "", None)


async def test_a_number_that_is_erased_while_it_is_dialled_is_told_to_nobody(
    outbox: Outbox, receiver: Receiver
) -> None:
    async with outbox.telling(hook(receiver, steps=["erased"])):
        callback = await requested(outbox.store, name="Ada")
        await outbox.database.execute(
            "UPDATE callback.callback SET state = 'dialing', worker = gen_random_uuid(),"
            " lease_until = now() + interval '1 hour' WHERE callback_id = $1",
            callback.callback_id,
        )
        await outbox.store.erase(callback.number, by="user ann")
        await receiver.until(1)
    assert (await outbox.store.get(callback.callback_id)).number == callback.number
    assert callback.number not in receiver.heard[0].body.decode()


BAD_DAYS = [
    (says(500), "it answered 500"),
    (says(404), "it answered 404"),
    (says(302, Location="/hook"), "it answered 302"),
    (says(307, Location="/hook"), "it answered 307"),
    (says(199 + 1, **{"Content-Length": "0"}), ""),
]


@pytest.mark.parametrize(("answer", "said"), BAD_DAYS)
async def test_only_2xx_counts_and_redirects_are_not_followed(
    outbox: Outbox, receiver: Receiver, answer: object, said: str
) -> None:
    receiver.answer = answer  # type: ignore[assignment]
    async with outbox.telling(hook(receiver, steps=["queued"]), pauses_s=(60,)):
        await requested(outbox.store)
        await receiver.until(1)
        await outbox.until(DeliveryState.DELIVERED if not said else DeliveryState.PENDING, 1)
        one = await outbox.says(said)
    assert len(receiver.heard) == 1
    assert one.tries == 1


async def test_it_comes_again_with_the_same_id_and_then_is_dead(
    outbox: Outbox, receiver: Receiver, caplog: Log
) -> None:
    receiver.answer = says(500)
    async with outbox.telling(hook(receiver, steps=["queued"])) as sender:
        callback = await requested(outbox.store, name="Ada")
        await outbox.until(DeliveryState.DEAD, 1)
        assert len(receiver.heard) == len(QUICK) + 1
        assert len(set(receiver.ids)) == 1
        assert (sender.stats.failed, sender.stats.dead) == (4, 1)
        receiver.answer = says(200)
        assert await outbox.deliveries.all_again() == 1
        await outbox.until(DeliveryState.DELIVERED, 1)
    assert callback.number not in caplog.text
    assert "Ada" not in caplog.text


async def test_gone_is_gone(outbox: Outbox, receiver: Receiver) -> None:
    receiver.answer = says(410)
    async with outbox.telling(hook(receiver, steps=["queued"])):
        await requested(outbox.store)
        await outbox.until(DeliveryState.DEAD, 1)
    assert len(receiver.heard) == 1


async def test_who_asks_for_time_gets_it(outbox: Outbox, receiver: Receiver) -> None:
    receiver.answer = says(429, **{"Retry-After": "86400"})
    async with outbox.telling(hook(receiver, steps=["queued"])):
        await requested(outbox.store)
        await receiver.until(1)
        one = await outbox.says("it answered 429")
    assert 3500 < (one.next_at - outbox.clock.now()).total_seconds() <= 3600


async def test_ten_megabytes_are_not_read(outbox: Outbox, receiver: Receiver) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(160):
            await response.write(b"x" * 65_536)
            sent += 65_536
        return response

    receiver.answer = endless
    async with outbox.telling(hook(receiver, steps=["queued"])):
        await requested(outbox.store)
        await outbox.until(DeliveryState.DELIVERED, 1)
    assert sent < 10_000_000


async def test_a_drip_of_an_answer_is_an_answer(outbox: Outbox, receiver: Receiver) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(30)
        return response

    receiver.answer = drip
    async with outbox.telling(hook(receiver, steps=["queued"])):
        await requested(outbox.store)
        await outbox.until(DeliveryState.DELIVERED, 1)


async def test_a_slow_receiver_holds_up_no_other_and_is_not_flooded(outbox: Outbox) -> None:
    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    async with receiving() as slow, receiving() as quick:
        slow.answer = never
        hooks = (
            hook(slow, "slow", at_once=2, timeout_s=1, steps=["queued"]),
            hook(quick, "quick", at_once=4, steps=["queued"]),
        )
        async with outbox.telling(*hooks):
            for _ in range(12):
                await requested(outbox.store)
            await quick.until(12)
            assert slow.most_at_once <= 2
            await slow.until(3)
        dead = [one for one in await outbox.deliveries.listed(webhook="slow") if one.last_error]
    assert slow.most_at_once == 2
    assert {one.last_error for one in dead} == {"no answer within 1 s"}


async def test_nobody_is_there(outbox: Outbox, caplog: Log) -> None:
    async with receiving() as gone:
        pass
    async with outbox.telling(hook(gone, steps=["queued"]), pauses_s=(60,)):
        await requested(outbox.store)
        one = await outbox.says("no connection")
    assert one.tries == 1
    assert str(gone.port) not in caplog.text


async def test_at_the_end_what_is_under_way_is_waited_for(outbox: Outbox, receiver: Receiver) -> None:
    async def slowly(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.5)
        return web.Response(status=204)

    receiver.answer = slowly
    async with outbox.telling(hook(receiver, steps=["queued"])):
        await requested(outbox.store)
        await receiver.until(1)
    assert (await outbox.deliveries.listed())[0].state is DeliveryState.DELIVERED


async def test_at_the_end_what_takes_too_long_is_given_to_others(
    outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sender, "GRACE_S", 0.2)

    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    receiver.answer = never
    async with outbox.telling(hook(receiver, steps=["queued"])):
        await requested(outbox.store)
        await receiver.until(1)
    receiver.answer = says(204)
    async with outbox.telling(hook(receiver, steps=["queued"])):
        await outbox.until(DeliveryState.DELIVERED, 1)
    assert (await outbox.deliveries.listed())[0].tries == 1


@pytest.mark.parametrize("seed", range(3))
async def test_restarts_and_bad_days_lose_nothing(
    outbox: Outbox, receiver: Receiver, seed: int, monkeypatch: pytest.MonkeyPatch, caplog: Log
) -> None:
    """Senders come and go, some cut off in the middle, over a receiver that fails at random: all is told."""
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(webhook_sender, "GRACE_S", 0.05)
    monkeypatch.setattr(webhook_sender, "LEASE_MARGIN_S", -0.7)
    chance = random.Random(seed)
    received: list[str] = []

    async def moody(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(chance.random() * 0.1)
        status = chance.choice((204, 204, 500, 503))
        if status == 204:
            received.append(request.headers["webhook-id"])
        return web.Response(status=status)

    receiver.answer = moody
    crm = hook(receiver, timeout_s=1)
    await outbox.deliveries.sync([Hook(crm.name, crm.url)])
    callbacks = []
    for _ in range(6):
        tasks = [
            asyncio.create_task(_telling_for(outbox, crm, chance.random() * 0.4, cut=chance.random() < 0.5))
            for _ in range(2)
        ]
        callbacks += [await requested(outbox.store) for _ in range(4)]
        await asyncio.gather(*tasks)
    async with outbox.telling(crm, pauses_s=[0.05] * 99):
        await outbox.until(DeliveryState.DELIVERED, 2 * len(callbacks))
    changes = await outbox.database.fetch("SELECT event_id FROM callback.event")
    assert set(received) == {f"evt_{row['event_id']}" for row in changes}
    assert len(changes) == 2 * len(callbacks)


async def _telling_for(outbox: Outbox, crm: Webhook, seconds: float, *, cut: bool) -> None:
    """A process that lives so long; one that is ``cut`` writes nothing more down, as if it was killed."""
    deliveries = Deliveries(outbox.database.transaction)
    sender = WebhookSender(
        deliveries, [crm], outbox.messages.of, outbox.listener, outbox.clock.now, pauses_s=[0.05] * 99
    )
    async with sender:
        await asyncio.sleep(seconds)
        if cut:
            deliveries._transaction = _gone  # the process is no more


@asynccontextmanager
async def _gone() -> AsyncIterator[None]:
    from callcenter.errors import StorageError

    raise StorageError("killed")
    yield
