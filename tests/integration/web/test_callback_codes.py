"""Codes that prove a number on the customers' page: sent, typed in, guessed, and not sent."""

import hmac
import json
import logging
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
from aiohttp import web

from callcenter.config import Queue, Settings
from support.customer import Customer, Seen
from support.numbers import new_number

SECRET = "a secret of the tests"
SAME = len("/callback/") + 20
"""So much of a link's path is the same for the same callback."""

RULES = {"enabled": True, "dial_from": "00:00", "dial_until": "24:00", "slots": {"days": 2, "minutes": 60}}


@dataclass
class Provider:
    """Sends codes: remembers what it was told, answers ``status``."""

    status: int = 204
    told: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        content = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
        signature = b64encode(hmac.digest(SECRET.encode(), content, sha256)).decode()
        assert request.headers["webhook-signature"] == f"v1,{signature}"
        if self.status < 300:
            self.told.append(json.loads(body))
        return web.Response(status=self.status, headers={"Location": self.url} if self.status == 302 else {})

    @property
    def code(self) -> str:
        return self.told[-1]["code"]

    @property
    def wrong(self) -> str:
        return "000000" if self.code != "000000" else "111111"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made, application = Provider(), web.Application()
    application.router.add_post("/send", made.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/send"
    yield made
    await runner.cleanup()


@pytest.fixture
def settings(request: pytest.FixtureRequest, provider: Provider) -> Settings:
    page = {"code": "sms", "code_url": provider.url, "code_secret": SECRET, "per_number_hour": 9}
    return Settings(
        queues=[Queue(name="sales", callback=RULES)],
        callbacks={"page": page | getattr(request, "param", {})},
    )


@pytest.fixture
def customer(site: Any, provider: Provider) -> Customer:
    return Customer(site.client, site.url)


async def form_of(customer: Customer) -> Seen:
    times = await customer.get("/callback")
    return await customer.get(next(href for text, href in times.links.items() if text.startswith("As soon")))


async def ask(customer: Customer, number: str = "", **values: str) -> Seen:
    given = {"number": number or new_number(), "consent": "yes"} | values
    return await customer.send((await form_of(customer)).form("/callback"), **given)


async def type_in(customer: Customer, page: Seen, code: str) -> Seen:
    return await customer.post("/callback/code", page.forms[0].fields | {"code": code})


async def send_again(customer: Customer, page: Seen) -> Seen:
    return await customer.send(page.forms[1], button="Send a new code")


async def count(site: Any) -> int:
    found: int = await site.services.database.fetchval("SELECT count(*) FROM callback.callback")
    return found


async def later(site: Any, seconds: int) -> None:
    """Let time pass for the codes."""
    await site.services.database.execute(
        "UPDATE callcenter.callback_code SET sent_at = sent_at - make_interval(secs => $1),"
        " code_expires_at = code_expires_at - make_interval(secs => $1)",
        float(seconds),
    )


async def test_nothing_is_kept_before_the_code(
    site: Any, customer: Customer, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    number = new_number()
    page = await ask(customer, number, language="ja")
    assert page.path == "/callback/code"
    assert f"number ending in {number[-2:]}" in page.text
    assert "Step 3 of 3" in page.text
    assert await count(site) == 0
    assert provider.told == [{"number": number, "code": provider.code, "language": "ja", "channel": "sms"}]
    assert len(provider.code) == 6
    granted = await type_in(customer, page, f" {provider.code[:3]} {provider.code[3:]} ")
    assert granted.language == "ja"
    assert await count(site) == 1
    stored = str(await site.services.database.fetch("SELECT * FROM callcenter.callback_code"))
    assert provider.code not in stored + caplog.text + page.html
    assert number[1:] not in page.html + caplog.text
    # The same code, by the button for going back.
    for again in (await type_in(customer, page, provider.code), await customer.get(page.url)):
        assert again.path[:SAME] == granted.path[:SAME]
    assert await count(site) == 1


async def test_wrong_codes(site: Any, customer: Customer, provider: Provider) -> None:
    page = await ask(customer)
    for left in (4, 3, 2, 1):
        wrong = await type_in(customer, page, provider.wrong)
        assert wrong.status == 422
        assert f"Tries left: {left}" in wrong.text
        assert 'aria-describedby="code-hint code-wrong"' in wrong.html
    for code in (provider.wrong, provider.code):
        assert "no longer valid" in (await type_in(customer, page, code)).text
    assert await count(site) == 0
    await later(site, 31)
    again = await send_again(customer, page)
    assert "A new code is on its way" in again.text
    assert (await type_in(customer, page, provider.code)).status == 200
    assert await count(site) == 1


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "12 45", "１２３４５", "<b>", "१२३४५६"])
async def test_what_is_no_code_costs_no_try(
    site: Any, customer: Customer, provider: Provider, code: str
) -> None:
    page = await ask(customer)
    for _ in range(6):
        assert "The code has 6 digits" in (await type_in(customer, page, code)).text
    assert (await type_in(customer, page, provider.code)).status == 200


async def test_a_code_is_good_for_ten_minutes(site: Any, customer: Customer, provider: Provider) -> None:
    page = await ask(customer)
    await later(site, 601)
    assert "no longer valid" in (await type_in(customer, page, provider.code)).text
    assert "no longer valid" in (await customer.get(page.url)).text
    assert await count(site) == 0


async def test_only_the_newest_code_is_good_and_no_more_than_three_are_sent(
    site: Any, customer: Customer, provider: Provider
) -> None:
    page = await ask(customer)
    first = provider.code
    soon = await send_again(customer, page)
    assert soon.status == 422
    assert "so soon" in soon.text
    for _ in range(2):
        await later(site, 31)
        await send_again(customer, page)
    assert len(provider.told) == 3
    await later(site, 31)
    assert (await send_again(customer, page)).status == 422
    if first != provider.code:
        assert "not the code" in (await type_in(customer, page, first)).text
    assert (await type_in(customer, page, provider.code)).status == 200


async def test_a_code_proves_one_form_and_one_number(
    site: Any, customer: Customer, provider: Provider
) -> None:
    mine, code = await ask(customer), ""
    code = provider.code
    other = await ask(customer)
    if code != provider.code:
        assert "not the code" in (await type_in(customer, other, code)).text
    # The same form with another number: the code of the first is worth nothing any more.
    form = (await customer.get(mine.links["Use another number"])).form("/callback")
    changed = await customer.send(form, number=new_number(), consent="yes")
    assert changed.path == "/callback/code"
    if code != provider.code:
        assert (await type_in(customer, mine, code)).status == 422
    await type_in(customer, mine, provider.code)
    number = await site.services.database.fetchval("SELECT number FROM callback.callback")
    assert number == provider.told[-1]["number"]


async def test_two_clicks_send_one_code(site: Any, customer: Customer, provider: Provider) -> None:
    form, number = (await form_of(customer)).form("/callback"), new_number()
    for _ in range(3):
        page = await customer.send(form, number=number, consent="yes")
        assert page.path == "/callback/code"
    assert len(provider.told) == 1


async def test_before_the_code_nobody_learns_what_stands(
    site: Any, customer: Customer, provider: Provider
) -> None:
    number = new_number()
    granted = await type_in(customer, await ask(customer, number), provider.code)
    standing, fresh = await ask(customer, number), await ask(customer, f"{number[:-2]}99")
    assert standing.text.replace(number[-2:], "99") == fresh.text
    # Who has the number gets to the request that stands.
    await later(site, 31)
    await send_again(customer, standing)
    page = await type_in(customer, standing, provider.code)
    assert "You have asked for this call already" in page.text
    assert await count(site) == 1
    assert page.path[:SAME] == granted.path[:SAME]


async def test_numbers_on_the_do_not_call_list_get_no_code(
    site: Any, customer: Customer, provider: Provider
) -> None:
    number = new_number()
    await site.services.callbacks.forbid(number, by="user admin")
    page = await ask(customer, number)
    assert "do not call this number" in page.text
    assert provider.told == []


@pytest.mark.parametrize("status", [500, 404, 302])
async def test_a_code_that_cannot_be_sent(
    site: Any, customer: Customer, provider: Provider, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    provider.status, number = status, new_number()
    page = await ask(customer, number)
    assert "could not send a code" in page.text
    assert page.path == "/callback"
    assert f"number ending in {number[-2:]}" in page.text
    assert number[1:] not in page.html + caplog.text
    assert "a code was not sent by 127.0.0.1" in caplog.text
    provider.status = 200
    sent = await customer.send(page.form("/callback"), consent="yes")
    assert sent.path == "/callback/code"
    provider.status = 500
    await later(site, 31)
    failed = await send_again(customer, sent)
    assert failed.status == 503
    assert "could not send a code" in failed.text


@pytest.mark.parametrize("settings", [{"code_url": "http://127.0.0.1:1/"}], indirect=True)
async def test_nobody_sends_codes(site: Any, customer: Customer) -> None:
    assert "could not send a code" in (await ask(customer)).text


@pytest.mark.parametrize("settings", [{"per_number_hour": 2, "code": "call"}], indirect=True)
async def test_codes_count_as_requests(site: Any, customer: Customer, provider: Provider) -> None:
    page = await ask(customer)
    assert "read out 6 digits" in page.text
    assert provider.told[0]["channel"] == "call"
    await later(site, 31)
    assert (await send_again(customer, page)).status == 200
    await later(site, 31)
    assert (await send_again(customer, page)).status == 429
    assert len(provider.told) == 2


async def test_forms_that_nobody_filled_in(site: Any, customer: Customer) -> None:
    form = (await form_of(customer)).form("/callback")
    for path in ("/callback/code", "/callback/time"):
        assert (await customer.get(f"{path}?key={form.fields['key']}")).status == 404
        assert (await customer.get(path)).status == 404
        values = {"key": form.fields["key"], "code": "123456", "at": "soonest"}
        assert (await customer.post(path, values)).status == 404


async def test_another_time_needs_the_code_first(site: Any, customer: Customer, provider: Provider) -> None:
    page = await ask(customer, at="2036-01-01T10:00:00Z")
    assert page.path == "/callback/code"
    times = await type_in(customer, page, provider.code)
    assert times.path == "/callback/time"
    granted = await customer.send(times.form("/time"), at=times.times()[-1])
    assert "Your time is reserved" in granted.text
