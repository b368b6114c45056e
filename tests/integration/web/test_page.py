"""The wallboard in a real browser."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from callcenter.web import board
from callcenter.web.auth import COOKIE

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
ATTACK = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@asynccontextmanager
async def opened(
    site: Any, browser: Browser, *, role: str | None = "supervisor", **options: Any
) -> AsyncIterator[Page]:
    """The wallboard as ``role`` sees it; whatever the browser complains about fails the test."""
    context = await browser.new_context(**({"viewport": WIDE} | options))
    if role is not None:
        await context.add_cookies([{"name": COOKIE, "value": site.tokens[role], "url": site.url}])
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    await page.goto(site.url)
    yield page
    await context.close()
    assert complaints == []


async def live(page: Page) -> None:
    await expect(page.locator("#connection")).to_have_text("Live")


async def keep(page: Page, name: str) -> None:
    """Keep a picture where somebody asked for one."""
    folder = os.environ.get("CALLCENTER_SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def busy(site: Any) -> Any:
    """A shop floor with something of everything; returns the call that is being talked on."""
    floor = site.floor
    for outcome, cause in (
        ("answered", "agent_hangup"),
        ("voicemail", "voicemail"),
        ("abandoned", "caller_hangup"),
    ):
        call_id = await floor.start("+15125550160", ago_s=200)
        await floor.queued(call_id, "support")
        if outcome == "answered":
            await floor.connected(call_id, "bob", "support")
        await floor.line.leave(call_id)
        await floor.end(call_id, cause, outcome)
    talking = await floor.start()
    await site.send("POST", "/api/v1/agents/ann/state", {"event": "sign_in"})
    await floor.queued(talking)
    (offer,) = await floor.matcher.match()
    assert await floor.line.ring(offer)
    assert await floor.line.accept(offer)
    await floor.connected(talking, "ann")
    await site.send("POST", "/api/v1/agents/bob/state", {"event": "sign_in"})
    await site.send("POST", "/api/v1/agents/bob/state", {"event": "break", "reason": "lunch"})
    for number in ("+15125550143", "+15125550144"):
        await floor.queued(await floor.start(number, ago_s=95), "support")
    await site.services.database.execute(
        "UPDATE callcenter.queue_entry SET entered_at = entered_at - interval '83 s'"
    )
    await floor.start("+15125550145")
    return talking


async def test_words_appear_as_they_come(site: Any, browser: Browser) -> None:
    talking = await busy(site)
    await site.floor.say(talking, "said before anybody watched", start_ms=500)
    async with opened(site, browser) as page:
        await live(page)
        call = page.locator(f'.call[data-key="{talking}"]')
        await expect(call.locator(".words li")).to_have_text(["Caller said before anybody watched"])
        await site.floor.say(talking, "How can I help?", leg="agent", start_ms=3000)
        await site.floor.say(talking, "My parcel has not come", start_ms=6000)
        await site.floor.say(talking, "Late but earlier", start_ms=4000)
        await expect(call.locator(".words li")).to_have_text(
            [
                "Caller said before anybody watched",
                "Agent How can I help?",
                "Caller Late but earlier",
                "Caller My parcel has not come",
            ]
        )
        await expect(call.locator(".phase")).to_have_text("Talking with Ann · sales")
        await keep(page, "words")


async def test_words_grow_while_they_are_said_until_they_are_final(site: Any, browser: Browser) -> None:
    talking = await busy(site)
    async with opened(site, browser) as page:
        await live(page)
        lines = page.locator(f'.call[data-key="{talking}"] .words li')
        await site.floor.saying(talking, "", "My")
        await expect(lines).to_have_text(["Caller My"])
        await site.floor.saying(talking, "My parcel", " has not", seq=2)
        await site.floor.saying(talking, "Hello", number=2, leg="agent", start_ms=1400)
        await expect(lines).to_have_text(["Caller My parcel has not", "Agent Hello"])
        await expect(lines.first).to_have_attribute("aria-hidden", "true")
        stable, volatile = lines.first.locator(".stable"), lines.first.locator(".volatile")
        await expect(volatile).to_have_css("font-style", "italic")
        await expect(stable).to_have_css("font-style", "normal")
        await keep(page, "partials")
        await site.floor.say(talking, "My parcel has not come.", number=1)
        await expect(lines).to_have_text(["Caller My parcel has not come.", "Agent Hello"])
        assert await lines.first.get_attribute("aria-hidden") is None
        await site.floor.saying(talking, "My parcel has", "", seq=3)
        await site.floor.saying(talking, "", number=2, leg="agent", start_ms=1400, seq=9)
        await expect(lines).to_have_text(["Caller My parcel has not come."])


async def test_a_late_final_takes_away_neither_the_next_partial_nor_its_own_mark(
    site: Any, browser: Browser
) -> None:
    talking = await busy(site)
    async with opened(site, browser) as page:
        await live(page)
        lines = page.locator(f'.call[data-key="{talking}"] .words li')
        await site.floor.saying(talking, ATTACK, number=5, start_ms=9000)
        await expect(lines).to_have_text([f"Caller {ATTACK}"])
        await site.floor.say(talking, "Hello.", number=4, degraded=True)
        await site.floor.saying(talking, "", number=4, seq=8)
        await expect(lines).to_have_text(["Caller · came late Hello.", f"Caller {ATTACK}"])
        await site.floor.saying(talking, "I", number=1, start_ms=20000, leg="agent")
        await expect(lines).to_have_count(3)
        await site.floor.end(talking)
        await expect(lines).to_have_count(0)


@pytest.mark.parametrize("whole_rows", [board.WHOLE_ROWS, 0])
async def test_the_floor_changes_before_your_eyes(
    site: Any, browser: Browser, monkeypatch: pytest.MonkeyPatch, whole_rows: int
) -> None:
    monkeypatch.setattr(board, "WHOLE_ROWS", whole_rows)
    async with opened(site, browser) as page:
        await live(page)
        sales = page.locator('.queue[data-key="sales"]')
        await expect(sales.locator('[data-field="waiting"]')).to_have_text("0")
        await expect(sales.locator('[data-field="agents_text"]')).to_have_text("0 free of 0")
        call_id = await site.floor.start()
        await site.floor.queued(call_id)
        await expect(sales.locator('[data-field="waiting"]')).to_have_text("1")
        await expect(page.locator(".call .phase")).to_have_text("Waiting · sales")
        await expect(page.get_by_text("No call at the moment.")).to_be_hidden()
        await site.send("POST", "/api/v1/agents/ann/state", {"event": "sign_in"})
        await expect(page.locator('.group[data-state="available"] .name')).to_have_text("Ann")
        await expect(sales.locator('[data-field="agents_text"]')).to_have_text("1 free of 1")
        await site.floor.line.leave(call_id)
        await site.floor.end(call_id, outcome="abandoned")
        await expect(page.locator(".call")).to_have_count(0)
        await expect(sales.locator('[data-field="answered_text"]')).to_have_text("0 of 1")
        await expect(sales.locator('[data-field="level_text"]')).to_have_text("–")  # it was a short one
        await expect(sales.locator('[data-field="wait_text"]')).to_have_text("–")
        await expect(page.locator("#ended li .outcome")).to_have_text("abandoned")
        await expect(page.get_by_text("No call at the moment.")).to_be_visible()


async def test_what_callers_say_and_agents_are_called_is_only_text(site: Any, browser: Browser) -> None:
    await site.send(
        "PUT",
        "/api/v1/agents/ann",
        {"name": ATTACK, "gateway": "twilio", "address": "+15125550101", "queues": ["sales"]},
        "admin",
    )
    talking = await busy(site)
    odd = await site.floor.start(ATTACK)
    async with opened(site, browser) as page:
        await live(page)
        await site.floor.say(talking, ATTACK)
        await expect(page.locator(".words .text")).to_have_text(ATTACK)
        await expect(page.locator(f'.call[data-key="{odd}"] h3')).to_have_text(ATTACK)
        await expect(page.locator('.group[data-state="talking"] .name')).to_have_text(ATTACK)
        assert await page.title() == "Wallboard · Call center"
        assert await page.locator("main img, main script").count() == 0


async def test_signing_in_and_out_with_the_keyboard(site: Any, browser: Browser) -> None:
    async with opened(site, browser, role=None) as page:
        await expect(page.get_by_label("Access token")).to_be_focused()
        await keep(page, "sign-in")
        await page.keyboard.type(site.tokens["supervisor"])
        await page.keyboard.press("Enter")
        await live(page)
        assert "cc_" not in page.url
        assert not await page.evaluate("document.cookie")
        await page.get_by_role("button", name="Sign out").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Access token")).to_be_visible()


async def test_the_page_comes_back_after_a_lost_connection(site: Any, browser: Browser) -> None:
    talking = await busy(site)
    await site.floor.say(talking, "before")
    context = await browser.new_context(viewport=WIDE)
    await context.add_cookies([{"name": COOKIE, "value": site.tokens["supervisor"], "url": site.url}])
    page = await context.new_page()
    await page.goto(site.url)
    await live(page)
    hub = site.services.hub
    hub.close()
    await expect(page.locator("#connection")).to_contain_text("trying again")
    await site.floor.say(talking, "meanwhile", start_ms=5000)
    hub.closing = False
    await live(page)
    await expect(page.locator(".words .text")).to_have_text(["before", "meanwhile"])
    await context.close()


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_and_reads(site: Any, browser: Browser, viewport: dict[str, int], scheme: str) -> None:
    talking = await busy(site)
    for number, (leg, text) in enumerate(
        (
            ("agent", "Good morning, this is Ann. How can I help you?"),
            ("caller", "Hello, I ordered a lamp last week and it has still not arrived."),
            ("agent", "I am sorry to hear that. May I have the order number?"),
            ("caller", "Sure, it is four four one two."),
        )
    ):
        await site.floor.say(talking, text, leg, 1000 + 4000 * number)
    async with opened(site, browser, viewport=viewport, color_scheme=scheme) as page:
        await live(page)
        await expect(page.locator(".words li")).to_have_count(4)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await keep(page, f"board-{scheme}-{viewport['width']}")


async def test_the_first_view_needs_no_script(site: Any, browser: Browser) -> None:
    await busy(site)
    async with opened(site, browser, java_script_enabled=False) as page:
        await expect(page.locator('.queue[data-key="support"] [data-field="waiting"]')).to_have_text("2")
        await expect(page.locator('.group[data-state="talking"] .name')).to_have_text("Ann")
        await expect(page.locator("#ended li")).to_have_count(3)
