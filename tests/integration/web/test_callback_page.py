"""The customers' page without a browser: every way through it, and what is refused."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from callback.links import Purpose
from callback.request import Callback, Source
from callback.state import State
from callcenter.config import Queue, Settings
from callcenter.storage.page_codes import PageCodes
from callcenter.web.customer import drawing, forms
from support.customer import Customer, Seen
from support.numbers import new_number

ALWAYS = {"enabled": True, "dial_from": "00:00", "dial_until": "24:00", "zone": "America/Chicago"}
SALES = {
    **ALWAYS,
    "title": {"en": "Contracts", "ja": "ご契約"},
    "slots": {"days": 3, "capacity": 1, "minutes": 60},
}
OPEN = (
    "SELECT callback_id, number, source, queue, state, consent, language, name, zone, topic, slot_start"
    " FROM callback.callback"
)


def page_settings(page: dict[str, Any] | None = None, queues: list[Queue] | None = None) -> Settings:
    return Settings(
        queues=queues
        or [
            Queue(name="sales", callback=SALES),
            Queue(name="tech_support", callback=ALWAYS),
            Queue(name="closed", callback={**ALWAYS, "accept": False}),
            Queue(name="without"),
        ],
        callbacks={"page": {"title": "Northwind", "per_address_hour": 200} | (page or {})},
    )


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    return page_settings(*getattr(request, "param", ()))


@pytest.fixture
def customer(site: Any) -> Customer:
    return Customer(site.client, site.url)


async def at_form(customer: Customer, topic: str = "sales", nth: int | None = None) -> Seen:
    """The form; for as soon as possible, or the ``nth`` free time."""
    times = await customer.get(f"/callback?topic={topic}")
    if nth is not None:
        href = times.times()[nth]
    else:
        href = next(href for text, href in times.links.items() if text.startswith("As soon as possible"))
    return await customer.get(href)


async def book(customer: Customer, number: str = "", nth: int | None = None, **values: str) -> Seen:
    page = await at_form(customer, nth=nth)
    given = {"number": number or new_number(), "consent": "yes"} | values
    return await customer.send(page.form("/callback"), **given)


async def kept(site: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in await site.services.database.fetch(OPEN + " ORDER BY requested_at")]


async def only(site: Any) -> Callback:
    (row,) = await kept(site)
    callback: Callback = await site.services.callbacks.get(row["callback_id"])
    return callback


# Asking.


async def test_topics_are_the_queues_that_take_callbacks(customer: Customer) -> None:
    page = await customer.get("/callback")
    assert page.status == 200
    assert [href for href in page.links.values() if "topic=" in href] == [
        "/callback?topic=sales",
        "/callback?topic=tech_support",
    ]
    assert "Contracts" in page.text
    assert "Tech support" in page.text
    assert "Probably today" in page.text or "Probably tomorrow" in page.text
    japanese = await customer.get("/callback?lang=ja")
    assert japanese.language == "ja"
    assert "ご契約" in japanese.text
    assert japanese.links["English"] == "/callback?lang=en"


@pytest.mark.parametrize("settings", [(None, [Queue(name="sales")])], indirect=True)
async def test_without_a_topic_there_is_nothing_to_ask_for(customer: Customer) -> None:
    page = await customer.get("/callback")
    assert "We take no requests" in page.text


@pytest.mark.parametrize("settings", [(None, [Queue(name="sales", callback=SALES)])], indirect=True)
async def test_a_single_topic_is_not_asked_for(customer: Customer) -> None:
    page = await customer.get("/callback")
    assert "When shall we call you?" in page.text
    assert "Change" not in page.text


@pytest.mark.parametrize("settings", [({"enabled": False},)], indirect=True)
async def test_the_page_can_be_turned_off(customer: Customer) -> None:
    assert (await customer.get("/callback")).status == 404
    assert (await customer.get("/callback/abc")).status == 404


async def test_as_soon_as_possible(site: Any, customer: Customer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    number = new_number()
    page = await book(customer, number, name="  Ann\tExample ", language="ja")
    assert page.status == 200
    assert page.path.startswith("/callback/")
    assert page.language == "ja"  # that of the request, as nothing else is asked for
    assert "折り返しお電話します" in page.text or "まもなくお電話します" in page.text
    (row,) = await kept(site)
    assert (row["number"], row["source"], row["queue"]) == (number, Source.PAGE.value, "sales")
    assert (row["consent"], row["language"], row["name"]) == (True, "ja", "Ann Example")
    assert (row["topic"], row["zone"], row["slot_start"]) == ("Contracts", "America/Chicago", None)
    digits = number.removeprefix("+")
    assert digits not in page.html
    assert digits not in page.url
    assert digits not in caplog.text
    assert page.path.rpartition("/")[2] not in caplog.text
    assert f"•{number[-2:]}" in page.html


async def test_a_time_is_chosen(site: Any, customer: Customer) -> None:
    page = await at_form(customer, nth=3)
    start = datetime.fromisoformat(parse_qs(urlsplit(page.url).query)["at"][0])
    assert "Chicago time" in page.text
    granted = await customer.send(page.form("/callback"), number=new_number(), consent="yes")
    assert "Your time is reserved" in granted.text
    assert "Chicago time" in granted.text
    assert (await only(site)).slot_start == start


async def test_the_browsers_zone_is_kept_and_named(site: Any, customer: Customer) -> None:
    times = await customer.get("/callback?topic=sales&zone=Asia%2FTokyo&lang=ja")
    assert "時刻はすべて日本時間（UTC+9）です" in times.text
    form = (await customer.get(times.times()[0])).form("/callback")
    granted = await customer.send(form, number=new_number(), consent="yes")
    assert "日本時間" in granted.text
    assert (await only(site)).zone == "Asia/Tokyo"


async def test_nobody_says_by_whose_clock_a_stranger_sleeps(site: Any, customer: Customer) -> None:
    times = await customer.get("/callback?topic=sales&zone=Asia/Tokyo")
    page = await customer.get(times.times()[3])
    await customer.send(page.form("/callback"), number="+12125550142", consent="yes")
    assert (await only(site)).zone == "America/New_York"


async def test_a_zone_that_does_not_exist_is_not_used(customer: Customer) -> None:
    assert "Chicago time" in (await customer.get("/callback?topic=sales&zone=Mars%2FBase")).text


async def test_two_clicks_at_once_are_one_request(site: Any, customer: Customer) -> None:
    form, number = (await at_form(customer)).form("/callback"), new_number()
    answers = await asyncio.gather(
        *(customer.send(form, number=number, consent="yes", follow=False) for _ in range(6))
    )
    assert {answer.status for answer in answers} == {303}
    assert all("/callback/stands" not in answer.headers["Location"] for answer in answers)
    assert (await only(site)).number == number


async def test_going_back_and_sending_again_leads_to_the_same(site: Any, customer: Customer) -> None:
    page = await at_form(customer)
    await customer.send(page.form("/callback"), number=new_number(), consent="yes")
    back = await customer.get(page.url)
    assert "You keep your place" in back.text or "almost your turn" in back.text
    other = await customer.send(page.form("/callback"), number=new_number(), consent="yes")
    assert other.path.startswith("/callback/")
    assert len(await kept(site)) == 1


async def test_who_has_asked_before_is_told_so_and_nothing_else(site: Any, customer: Customer) -> None:
    number = new_number()
    await book(customer, number, nth=2, name="Ann")
    before = await only(site)
    page = await book(customer, number, nth=5, name="Mallory")
    assert page.path == "/callback/stands"
    assert "request for this number already" in page.text
    assert "Ann" not in page.text
    assert not page.forms
    assert [text for text in page.links if "ancel" in text or "hange" in text] == []
    assert await only(site) == before
    assert (await customer.get(page.url)).status == 200
    assert (await customer.get("/callback/stands?key=x")).status == 404


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("", "Write the telephone number"),
        ("12", "not a telephone number"),
        ("none of your business", "not a telephone number"),
        ("+" + "1" * 39, "not a telephone number"),
        ("911", "do not call this number"),
        ("+19005550100", "do not call this number"),
    ],
)
async def test_numbers_that_are_not_called(site: Any, customer: Customer, number: str, said: str) -> None:
    page = await book(customer, number or " ")
    assert page.status == 422
    assert said in page.text
    assert 'aria-describedby="number-hint number-wrong"' in page.html
    assert "<title>Problem: " in page.html
    if len(number) > 3:
        assert number not in page.html
    assert await kept(site) == []


async def test_a_number_on_the_do_not_call_list_is_refused_like_any_other(
    site: Any, customer: Customer
) -> None:
    number = new_number()
    await site.services.callbacks.forbid(number, by="user admin")
    page = await book(customer, number)
    assert "do not call this number" in page.text
    again = await customer.send(page.form("/callback"), number=new_number(), consent="yes")
    assert again.path.startswith("/callback/")
    assert len(await kept(site)) == 1


async def test_what_was_right_stays_and_is_shown_as_text(site: Any, customer: Customer) -> None:
    number, attack = new_number(), "<script>alert(1)</script>\"'><img src=x>"
    page = await book(customer, number, consent="", name=attack, language="ja")
    assert page.status == 422
    assert "only if you agree" in page.text
    assert "<script>alert" not in page.html
    assert "<img" not in page.html
    form = page.form("/callback")
    assert (form.fields["name"], form.fields["number"]) == (attack, "")
    assert form.fields["language"] == "ja"
    assert f"number ending in {number[-2:]}" in page.text
    assert number[1:] not in page.html
    await customer.send(form, consent="yes")
    callback = await only(site)
    assert (callback.number, callback.name) == (number, attack)


async def test_more_that_is_wrong(site: Any, customer: Customer) -> None:
    page = await book(customer, name="x" * 81, language="tlh")
    assert "longer than 80 characters" in page.text
    assert "Choose one of the languages" in page.text
    assert await kept(site) == []


async def test_a_field_that_people_do_not_see_stays_empty(site: Any, customer: Customer) -> None:
    page = await book(customer, website="https://example.com")
    assert page.status == 422
    assert "must stay empty" in page.text
    assert await kept(site) == []


# Forms that are not ours.


async def test_forged_keys(site: Any, customer: Customer) -> None:
    form = (await at_form(customer)).form("/callback")
    for key in ("", "x" * forms.KEY_CHARS, form.fields["key"][::-1]):
        page = await customer.send(form, key=key, number=new_number(), consent="yes")
        assert page.status == 400
        assert "cannot be read" in page.text
    assert await kept(site) == []


async def test_a_form_that_was_open_for_long_is_shown_again(site: Any, customer: Customer) -> None:
    form, secret = (await at_form(customer)).form("/callback"), await site.services.callbacks.code_key()
    old = forms.form_key("request", secret, datetime.now(UTC) - timedelta(hours=25), b"n" * forms.NONCE_BYTES)
    page = await customer.send(form, key=old, number=new_number(), consent="yes")
    assert page.status == 422
    assert "open for long" in page.text
    await customer.send(page.form("/callback"), number=new_number(), consent="yes")
    assert len(await kept(site)) == 1


async def test_a_key_of_another_form_is_forged(site: Any, customer: Customer) -> None:
    form, secret = (await at_form(customer)).form("/callback"), await site.services.callbacks.code_key()
    other = forms.form_key("cancel x", secret, datetime.now(UTC), b"n" * forms.NONCE_BYTES)
    assert (await customer.send(form, key=other, number=new_number(), consent="yes")).status == 400


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"topic=sales&at=soonest&name=" + b"x" * 9000, {}),
        (b"topic=sales&at=soonest&name=%ff", {}),
        (b"topic=sales", {}),
        (b"topic=sales&at=never", {}),
        (b"topic=sales&at=2026-11-27%0012:00:00Z", {}),
        (b"topic=sales&at=0001-01-01T00:00:00%2B23:59", {}),
        (b"{}", {"Content-Type": "application/json"}),
        (b"--x--", {"Content-Type": "multipart/form-data; boundary=x"}),
        (b"topic=sales&at=soonest", {"Sec-Fetch-Site": "cross-site"}),
        (b"topic=sales&at=soonest", {"Sec-Fetch-Site": "same-site"}),
    ],
)
async def test_what_cannot_be_read(
    site: Any, customer: Customer, body: bytes, headers: dict[str, str]
) -> None:
    given = {"Content-Type": "application/x-www-form-urlencoded"} | headers
    page = await customer.post("/callback", body, **given)
    assert page.status == 400
    assert "cannot be read" in page.text


async def test_a_body_without_a_length_is_bounded(customer: Customer) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b"x" * 1024

    page = await customer.post(
        "/callback", endless(), **{"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert page.status == 400


async def test_a_body_that_does_not_end_is_not_waited_for(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dripping() -> Any:
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    monkeypatch.setattr(drawing, "BODY_TIMEOUT_S", 0.3)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with asyncio.timeout(10):
        assert (await customer.post("/callback", dripping(), **kind)).status == 400


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-27\x0012:00Z"]
)
async def test_a_time_that_no_clock_shows_is_not_chosen(
    customer: Customer, caplog: pytest.LogCaptureFixture, at: str
) -> None:
    page = await customer.get("/callback?" + urlencode({"topic": "sales", "at": at}))
    assert (page.status, "When shall we call you?" in page.text) == (200, True)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_topic_that_is_closed_meanwhile(site: Any, customer: Customer) -> None:
    form = (await at_form(customer)).form("/callback")
    page = await customer.send(form, topic="closed", number=new_number(), consent="yes")
    assert page.status == 409
    assert "no more requests" in page.text


@pytest.mark.parametrize(
    "settings", [(None, [Queue(name="sales", callback={**SALES, "max_pending": 1})])], indirect=True
)
async def test_a_topic_that_is_full(site: Any, customer: Customer) -> None:
    late = (await at_form(customer)).form("/callback")
    await book(customer)
    assert "We take no more requests about this" in (await customer.get("/callback")).text
    page = await customer.send(late, number=new_number(), consent="yes")
    assert page.path == "/callback/time"
    refused = await customer.send(page.form("/time"), at=page.times()[-1])
    assert "We take no more requests about this" in refused.text
    assert len(await kept(site)) == 1


# Limits.


@pytest.mark.parametrize("settings", [({"per_number_hour": 2},)], indirect=True)
async def test_a_number_may_ask_so_often(site: Any, customer: Customer) -> None:
    number = new_number()
    statuses = [(await book(customer, number)).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert (await book(customer)).status == 200
    uses = await site.services.database.fetch("SELECT * FROM callcenter.callback_page_use")
    assert number not in str(uses)
    await site.services.database.execute(
        "UPDATE callcenter.callback_page_use SET at = at - interval '1 hour'"
    )
    assert (await book(customer, number)).status == 200


@pytest.mark.parametrize("settings", [({"per_number_day": 2},)], indirect=True)
async def test_nobody_has_a_number_rung_up_all_day(site: Any, customer: Customer) -> None:
    number, later = new_number(), "UPDATE callcenter.callback_page_use SET at = at - interval '12 hours'"
    statuses = []
    for _ in range(4):
        statuses.append((await book(customer, number)).status)
        await site.services.database.execute(later)
        await PageCodes(site.services.database).purge()
    assert statuses == [200, 200, 200, 200]
    assert [(await book(customer, number)).status for _ in range(2)] == [200, 429]
    await site.services.database.execute(later)
    assert (await book(customer, number)).status == 200


@pytest.mark.parametrize("settings", [({"per_address_hour": 2},)], indirect=True)
async def test_an_address_may_ask_so_often(site: Any, customer: Customer) -> None:
    pages = [await book(customer) for _ in range(3)]
    assert [page.status for page in pages] == [200, 200, 429]
    assert pages[2].headers["Retry-After"] == "900"
    assert "wait a while" in pages[2].text
    # Anybody can say that; nobody has said that this proxy is trusted.
    assert (await book(Customer(site.client, site.url, X_Forwarded_For="198.51.100.7"))).status == 429


@pytest.mark.parametrize(
    "settings", [({"per_address_hour": 1, "trusted_proxies": ["127.0.0.0/8"]},)], indirect=True
)
async def test_behind_a_trusted_proxy_each_address_counts_for_itself(site: Any) -> None:
    one = Customer(site.client, site.url, X_Forwarded_For="198.51.100.7")
    other = Customer(site.client, site.url, X_Forwarded_For="198.51.100.7, 198.51.100.8")
    assert [(await book(who)).status for who in (one, one, other)] == [200, 429, 200]


@pytest.mark.parametrize("settings", [({"per_number_hour": 3},)], indirect=True)
async def test_limits_hold_when_all_come_at_once(site: Any, customer: Customer) -> None:
    number, form = new_number(), [(await at_form(customer)).form("/callback") for _ in range(6)]
    answers = await asyncio.gather(
        *(customer.send(one, number=number, consent="yes", follow=False) for one in form)
    )
    assert sorted(answer.status for answer in answers) == [303, 303, 303, 429, 429, 429]


# Times that are gone.


async def test_of_two_who_want_the_same_time_one_is_offered_those_next_to_it(
    site: Any, customer: Customer
) -> None:
    first, second = await at_form(customer, nth=5), await at_form(customer, nth=5)
    assert parse_qs(urlsplit(first.url).query)["at"] == parse_qs(urlsplit(second.url).query)["at"]
    await customer.send(first.form("/callback"), number=new_number(), consent="yes")
    number = new_number()
    page = await customer.send(second.form("/callback"), number=number, consent="yes")
    assert page.path == "/callback/time"
    assert "no longer free" in page.text
    times, wanted = page.times(), parse_qs(urlsplit(first.url).query)["at"][0]
    starts = [datetime.fromisoformat(at) for at in times if at != "soonest"]
    assert starts
    assert wanted not in times
    assert all(abs(at - datetime.fromisoformat(wanted)) <= timedelta(hours=4) for at in starts)
    granted = await customer.send(page.form("/time"), at=times[-1])
    assert "Your time is reserved" in granted.text
    rows = {row["number"]: row["slot_start"] for row in await kept(site)}
    assert rows[number] == datetime.fromisoformat(times[-1])
    # The same once more, by the button for going back.
    assert "Your time is reserved" in (await customer.get(page.url)).text
    assert len(await kept(site)) == 2


async def test_times_that_cannot_be_had(site: Any, customer: Customer) -> None:
    form = (await at_form(customer)).form("/callback")
    for at in ("2020-01-01T10:00:00Z", "2036-01-01T10:00:00Z", "2026-11-26T10:00:01+09:00"):
        page = await customer.send(form, at=at, number=new_number(), consent="yes")
        assert page.path == "/callback/time"
    assert await kept(site) == []


# The rest.


async def test_headers_are_strict(customer: Customer) -> None:
    for path in ("/callback", "/callback?topic=sales", "/callback/abc"):
        page = await customer.get(path)
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in page.headers
        assert "style=" not in page.html
        assert "onclick" not in page.html


async def test_what_was_filled_in_is_forgotten(site: Any, customer: Customer) -> None:
    database = site.services.database
    await book(customer, consent="")
    await book(customer)
    numbers = await database.fetch("SELECT wish ->> 'number' AS number FROM callcenter.callback_code")
    assert sorted(row["number"] is None for row in numbers) == [False, True]  # only what is not granted
    await database.execute("UPDATE callcenter.callback_code SET expires_at = expires_at - interval '31 min'")
    assert await PageCodes(site.services.database).purge() == 1
    await database.execute("UPDATE callcenter.callback_code SET expires_at = expires_at - interval '1 day'")
    assert await PageCodes(site.services.database).purge() == 1


async def test_a_request_of_a_form_that_died_half_way_is_its_own(site: Any, customer: Customer) -> None:
    form, number = (await at_form(customer)).form("/callback"), new_number()
    await customer.send(form, number=number, consent="yes")
    await site.services.database.execute(
        "UPDATE callcenter.callback_code SET done = false, callback_id = NULL"
    )
    page = await customer.send(form, number=number, consent="yes", follow=False)
    assert "/callback/stands" not in page.headers["Location"]
    assert len(await kept(site)) == 1


async def test_the_link_of_a_final_notice_fills_the_form_in(site: Any, customer: Customer) -> None:
    number = new_number()
    await book(customer, number, name="Ann", language="ja")
    desk, before = site.services.callbacks, await only(site)
    await desk.cancel(before.callback_id, by="user admin")
    link = urlsplit(await desk.link(before, Purpose.AGAIN)).path
    times = await customer.get(link)
    assert times.language == "ja"
    page = await customer.get(times.times()[0])
    form = page.form("/callback")
    assert (form.fields["name"], form.fields["language"]) == ("Ann", "ja")
    assert number[1:] not in page.html
    granted = await customer.send(form, consent="yes")
    assert granted.status == 200
    rows = await kept(site)
    assert [(row["number"], row["state"]) for row in rows] == [
        (number, State.CANCELLED.value),
        (number, State.SCHEDULED.value),
    ]


# Forgetting.

TABLES = """
SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('callback', 'callcenter')
"""


async def where_stands(site: Any, *words: str) -> set[str]:
    """The tables that hold one of the words, or the digits of a number, in any column."""
    database, found = site.services.database, set()
    for (table,) in await database.fetch(TABLES):
        rows = " ".join(row[0] for row in await database.fetch(f"SELECT t::text FROM {table} AS t"))
        if any(word.removeprefix("+") in rows for word in words):
            found.add(table)
    return found


async def test_what_is_erased_is_nowhere_any_more(site: Any, customer: Customer) -> None:
    number, wish = new_number(), {"queue": "tech_support", "topic": "Broken Zither", "note": "Zither is blue"}
    await book(customer, number, name="Zoltan Quux")
    headers = site.auth() | {"Idempotency-Key": "erase-me"}
    body = wish | {"number": number, "name": "Zoltan Quux"}
    async with site.client.post(site.url + "/api/v1/callbacks", headers=headers, json=body) as answer:
        assert answer.status == 201
    personal = (number, "Zoltan", "Zither")
    assert "callback.callback" in await where_stands(site, *personal)
    assert await site.services.callbacks.erase(number, by="user ann") == 2
    assert await where_stands(site, *personal) == set()
    assert await site.services.database.fetchval("SELECT count(*) FROM callback.idempotency") == 0


async def test_a_form_that_waits_is_erased_too(site: Any, customer: Customer) -> None:
    number = new_number()
    form = (await at_form(customer)).form("/callback")
    await customer.send(form, number=number, name="Zoltan Quux")  # consent is missing
    assert await where_stands(site, number, "Zoltan") == {"callcenter.callback_code"}
    await site.services.callbacks.erase(number, by="user ann")
    assert await where_stands(site, number, "Zoltan") == set()
