"""The page of one request, without a browser: what it shows, moving, cancelling, bad links."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from callback.links import KEY_BYTES, LENGTH, Purpose, Token, sign
from callback.request import Callback, Source
from callback.state import State
from callcenter.callbacks.models import Asked
from callcenter.config import Queue, Settings
from callcenter.web.customer import forms
from support.customer import Customer, Seen
from support.numbers import new_number

RULES = {
    "enabled": True,
    "dial_from": "00:00",
    "dial_until": "24:00",
    "zone": "America/Chicago",
    "title": {"en": "Contracts", "ja": "ご契約"},
    "slots": {"days": 3, "capacity": 1, "minutes": 60},
}
DIAL = (
    "UPDATE callback.callback SET state = 'dialing', worker = gen_random_uuid(),"
    " lease_until = clock_timestamp() + interval '1 min' WHERE callback_id = $1"
)


@pytest.fixture
def settings() -> Settings:
    return Settings(queues=[Queue(name="sales", callback=RULES)])


@pytest.fixture
def customer(site: Any) -> Customer:
    return Customer(site.client, site.url)


async def asked(site: Any, *, slot: datetime | None = None, number: str = "", **values: Any) -> Callback:
    wish = Asked("sales", number or new_number(), Source.PAGE, slot_start=slot, consent=True, **values)
    callback, _ = await site.services.callbacks.request(wish, by="customer")
    return callback


async def link_of(site: Any, callback: Callback, purpose: Purpose = Purpose.MANAGE) -> str:
    return urlsplit(await site.services.callbacks.link(callback, purpose)).path


async def free(site: Any) -> list[datetime]:
    return [slot.start for slot in await site.services.callbacks.slots("sales") if slot.free]


async def now_is(site: Any, callback: Callback) -> Callback:
    found: Callback = await site.services.callbacks.get(callback.callback_id)
    return found


# Looking.


async def test_what_is_known_is_shown(site: Any, customer: Customer) -> None:
    first, second = await asked(site), await asked(site, name="Ann <i>", note="secret")
    await site.services.database.execute("UPDATE callback.callback SET state = 'due'")
    page = await customer.get(await link_of(site, second))
    assert page.status == 200
    assert "Your place in line 2" in page.text
    assert "Contracts" in page.text
    assert "Chicago time" in page.text
    assert second.number[1:] not in page.html
    assert "secret" not in page.html
    assert "<i>" not in page.html
    assert "Your place in line 1" in (await customer.get(await link_of(site, first))).text


async def test_without_a_script_the_page_refreshes_until_told_not_to(site: Any, customer: Customer) -> None:
    link = await link_of(site, await asked(site))
    page = await customer.get(link)
    assert '<noscript><meta http-equiv="refresh" content="20"></noscript>' in page.html
    still = await customer.get(page.links["Stop that"])
    assert "http-equiv" not in still.html
    assert "http-equiv" in (await customer.get(still.links["Let this page refresh by itself"])).html


async def test_a_script_asks_how_it_stands(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    link = await link_of(site, callback)
    page = await customer.get(link)
    async with site.client.get(f"{site.url}{link}/state") as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        before = await response.json()
    assert f'data-state="{before["state"]}"' in page.html
    assert before["place"] == "1"
    assert callback.number not in str(before)
    await site.services.callbacks.cancel(callback.callback_id, by="user admin")
    async with site.client.get(f"{site.url}{link}/state?lang=ja") as response:
        assert (await response.json())["state"] != before["state"]


async def test_the_language_is_that_of_the_request_unless_asked_for(site: Any, customer: Customer) -> None:
    link = await link_of(site, await asked(site, language="ja"))
    page = await customer.get(link)
    assert page.language == "ja"
    assert "ご契約" in page.text
    english = await customer.get(page.links["English"])
    assert english.language == "en"
    assert (await customer.get(english.links["Cancel the call"])).language == "en"


async def test_who_was_promised_too_much_is_told(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    await site.services.database.execute(
        "UPDATE callback.callback SET promised_from = now() - interval '2 h',"
        " promised_until = now() - interval '1 min'"
    )
    assert "longer than we promised" in (await customer.get(await link_of(site, callback))).text


async def test_after_the_end_another_call_can_be_asked_for(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    await site.services.callbacks.cancel(callback.callback_id, by="user admin")
    page = await customer.get(await link_of(site, callback))
    assert "We cannot make this call" in page.text
    assert "http-equiv" not in page.html
    assert "Change the time" not in page.links
    assert "When shall we call you?" in (await customer.get(page.links["Ask for another call"])).text


# Moving.


async def choices(customer: Customer, link: str) -> Seen:
    return await customer.get(f"{link}/move")


async def test_moving_to_a_time_and_back(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    link, wanted = await link_of(site, callback), (await free(site))[4]
    page = await choices(customer, link)
    moved = await customer.send(page.form("/move"), at=wanted.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert moved.path == link
    assert "The time is changed" in moved.text
    assert "Your time is reserved" in moved.text
    assert (await now_is(site, callback)).slot_start == wanted
    page = await choices(customer, link)
    back = await customer.send(page.form("/move"), at="soonest")
    assert "You keep your place" in back.text
    found = await now_is(site, callback)
    assert (found.slot_start, found.arrived_at) == (None, callback.arrived_at)
    history = await site.services.callbacks.history(callback.callback_id)
    assert [change.by for change in history] == ["customer"] * 4


async def test_two_clicks_move_once(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    link, wanted = await link_of(site, callback), (await free(site))[4]
    form = (await choices(customer, link)).form("/move")
    at = wanted.strftime("%Y-%m-%dT%H:%M:%SZ")
    pages = await asyncio.gather(*(customer.send(form, at=at) for _ in range(4)))
    assert all("The time is changed" in page.text for page in pages)
    assert (await now_is(site, callback)).version == 2


async def test_a_request_that_changed_meanwhile_is_shown_again(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    link, times = await link_of(site, callback), await free(site)
    form = (await choices(customer, link)).form("/move")
    await site.services.callbacks.move(callback.callback_id, by="user admin", slot_start=times[3])
    page = await customer.send(form, at=times[5].strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert "changed in the meantime" in page.text
    assert (await now_is(site, callback)).slot_start == times[3]


async def test_a_time_that_was_taken_is_not_had(site: Any, customer: Customer) -> None:
    callback, times = await asked(site), await free(site)
    link = await link_of(site, callback)
    form = (await choices(customer, link)).form("/move")
    await asked(site, slot=times[5])
    page = await customer.send(form, at=times[5].strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert page.status == 409
    assert "cannot be had" in page.text
    assert times[4].strftime("%Y-%m-%dT%H:%M:%SZ") in page.times()
    assert times[5].strftime("%Y-%m-%dT%H:%M:%SZ") not in page.times()
    assert (await now_is(site, callback)).slot_start is None


async def test_who_is_being_called_can_neither_move_nor_cancel(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    link = await link_of(site, callback)
    move = (await choices(customer, link)).form("/move")
    cancel = (await customer.get(f"{link}/cancel")).form("/cancel")
    await site.services.database.execute(DIAL, callback.callback_id)
    assert "We are calling you now" in (await customer.get(link)).text
    for page in (
        await customer.send(move, at="soonest"),
        await customer.send(cancel),
        await customer.get(f"{link}/move"),
        await customer.get(f"{link}/cancel"),
    ):
        assert page.path == link
        assert "no longer possible" in page.text
    assert (await now_is(site, callback)).state is State.DIALING


async def test_moving_when_the_queue_is_gone(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    link = await link_of(site, callback)
    form = (await choices(customer, link)).form("/move")
    await site.services.database.execute("DELETE FROM callcenter.queue WHERE name = 'sales'")
    await site.services.queues.renew()
    assert (await customer.get(link)).status == 200
    assert "No times are free" in (await choices(customer, link)).text
    assert "no longer possible" in (await customer.send(form, at="soonest")).text


# Cancelling.


async def test_cancelling_is_confirmed_first(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    link = await link_of(site, callback)
    page = await customer.get((await customer.get(link)).links["Cancel the call"])
    assert "Cancel the call?" in page.text
    assert callback.number[1:] not in page.html
    assert (await now_is(site, callback)).is_open
    form = page.form("/cancel")
    pages = [await customer.send(form), await customer.send(form)]
    assert all("The call is cancelled" in page.text for page in pages)
    found = await now_is(site, callback)
    assert (found.state, found.ended_by, found.cause) == (State.CANCELLED, "customer", "page")
    assert (await customer.get(f"{link}/cancel")).path == link


async def test_cancelling_twice_at_once(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    link = await link_of(site, callback)
    form = (await customer.get(f"{link}/cancel")).form("/cancel")
    pages = await asyncio.gather(*(customer.send(form) for _ in range(4)))
    assert all("The call is cancelled" in page.text for page in pages)


# Links and forms that are not good.


async def test_links_that_are_not_good_all_look_the_same(site: Any, customer: Customer) -> None:
    callback, key = await asked(site), await site.services.callbacks.code_key()
    link = await link_of(site, callback)
    token = link.rpartition("/")[2]
    soon, nonce = datetime.now(UTC) + timedelta(days=1), bytes(9)
    bad = [
        "x",
        "x" * LENGTH,
        token[:-1],
        token[:-2] + ("AA" if not token.endswith("AA") else "BB"),
        token.swapcase(),
        token + "%00",
        "%F0%9F%93%9E",
        sign(Token(callback.callback_id, Purpose.MANAGE, soon, nonce), bytes(KEY_BYTES)),
        sign(Token(callback.callback_id, Purpose.MANAGE, datetime.now(UTC), nonce), key),
        sign(Token(uuid4(), Purpose.MANAGE, soon, nonce), key),
    ]
    texts = set()
    for one in bad:
        for ending in ("", "/move", "/cancel", "/state"):
            page = await customer.get(f"/callback/{one}{ending}")
            assert page.status == 404, one
            texts.add(page.html)
    assert len(texts) == 1
    assert str(callback.callback_id) not in texts.pop()


async def test_a_link_to_book_again_does_not_manage(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    link = await link_of(site, callback, Purpose.AGAIN)
    for ending in ("/move", "/cancel", "/state"):
        assert (await customer.get(link + ending)).status == 404
    assert "When shall we call you?" in (await customer.get(link)).text


async def test_what_was_erased_is_gone(site: Any, customer: Customer) -> None:
    callback = await asked(site)
    links = [await link_of(site, callback, purpose) for purpose in Purpose]
    await site.services.callbacks.erase(callback.number, by="user admin")
    assert [(await customer.get(link)).status for link in links] == [404, 404]


async def test_a_form_belongs_to_one_request_and_one_purpose(site: Any, customer: Customer) -> None:
    mine, other = await asked(site), await asked(site)
    link, others = await link_of(site, mine), await link_of(site, other)
    cancel = (await customer.get(f"{others}/cancel")).form("/cancel").fields
    move = (await choices(customer, link)).form("/move").fields
    for path, values in (
        (f"{link}/cancel", cancel),
        (f"{link}/cancel", {"key": move["key"]}),
        (f"{link}/cancel", {}),
        (f"{link}/move", {**move, "key": cancel["key"], "at": "soonest"}),
        (f"{link}/move", {**move, "at": "whenever"}),
        (f"{link}/move", {**move, "at": "soonest", "version": "-1"}),
        (f"{link}/move", {**move, "at": "soonest", "version": "9" * 30}),
    ):
        assert (await customer.post(path, values)).status == 400
    headers = {"Sec_Fetch_Site": "cross-site"}
    assert (await customer.post(f"{link}/move", {**move, "at": "soonest"}, **headers)).status == 400
    assert await now_is(site, mine) == mine


async def test_old_forms_are_shown_again(site: Any, customer: Customer) -> None:
    callback, key = await asked(site), await site.services.callbacks.code_key()
    link, then = await link_of(site, callback), datetime.now(UTC) - timedelta(hours=25)
    for what, more in (("cancel", {}), ("move", {"at": "soonest", "version": "1"})):
        old = forms.form_key(f"{what} {callback.callback_id}", key, then, bytes(forms.NONCE_BYTES))
        page = await customer.post(f"{link}/{what}", {"key": old, **more})
        assert "open for long" in page.text
        assert page.form(f"/{what}").fields["key"] != old
    assert (await now_is(site, callback)).is_open


async def test_without_the_database_there_is_a_page(site: Any, customer: Customer) -> None:
    link = await link_of(site, await asked(site))
    await site.services.database.execute("ALTER TABLE callback.callback RENAME TO gone")
    page = await customer.get(link)
    await site.services.database.execute("ALTER TABLE callback.gone RENAME TO callback")
    assert page.status == 503
    assert "Nothing that you asked for before is lost" in page.text
