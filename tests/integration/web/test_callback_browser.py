"""The customers' page in a real browser, at the width of a phone, with and without a script."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from callback.request import Source
from callback.state import State
from callcenter.callbacks.models import Asked
from callcenter.config import Queue, Settings
from callcenter.storage.page_codes import PageCodes
from support.numbers import new_number

PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 900}
NARROWEST = 320
"""WCAG 2.2, 1.4.10: down to this width nothing is cut off or scrolls sideways."""

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {
    "enabled": True,
    "dial_from": "00:00",
    "dial_until": "24:00",
    "zone": "America/Chicago",
    "slots": {"days": 3, "capacity": 1, "minutes": 60},
}

SCRIPTS = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@pytest.fixture
def settings() -> Settings:
    titles = {"sales": {"en": "Contracts", "ja": "ご契約"}, "support": {"en": "Faults", "ja": "故障"}}
    queues = [Queue(name=name, callback={**RULES, "title": title}) for name, title in titles.items()]
    return Settings(queues=queues, callbacks={"page": {"title": "Northwind", "per_address_hour": 500}})


@asynccontextmanager
async def opened(
    site: Any, browser: Browser, path: str = "/callback", *, script: bool = True, **options: Any
) -> AsyncIterator[Page]:
    """A page; whatever the browser complains about fails the test, but for statuses that are meant."""
    given = {"viewport": PHONE, "locale": "en-GB", "timezone_id": "Europe/London"}
    context = await browser.new_context(**given | options, java_script_enabled=script)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    await page.goto(site.url + path)
    yield page
    await context.close()
    assert [text for text in complaints if "the server responded with a status of 4" not in text] == []


async def asked(site: Any, **values: Any) -> Any:
    wish = Asked("sales", new_number(), Source.PAGE, consent=True, **values)
    return (await site.services.callbacks.request(wish, by="customer"))[0]


async def link_of(site: Any, callback: Any) -> str:
    link: str = await site.services.callbacks.link(callback)
    return "/callback/" + link.rpartition("/")[2]


async def only(site: Any) -> Any:
    callback_id = await site.services.database.fetchval("SELECT callback_id FROM callback.callback")
    return await site.services.callbacks.get(callback_id)


async def fill_in(page: Page, number: str = "") -> None:
    await page.get_by_label("Telephone number").fill(number or new_number())
    await page.get_by_label("I agree to be called").check()


async def keep(page: Page, name: str) -> None:
    """Keep a picture where somebody asked for one."""
    folder = os.environ.get("CALLCENTER_SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"callback-{name}.png", full_page=True)


# The whole way.


@SCRIPTS
async def test_booking_moving_and_cancelling(site: Any, browser: Browser, script: bool) -> None:
    async with opened(site, browser, script=script) as page:
        await page.get_by_role("link", name="Contracts").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("When shall we call you?")
        await page.get_by_role("link", name="As soon as possible").click()
        await fill_in(page)
        await page.get_by_label("Name").fill("Ann")
        await page.get_by_role("button", name="Ask for the call").click()
        await expect(page.locator(".place .number")).to_have_text("1")
        callback = await only(site)
        assert (callback.name, callback.slot_start) == ("Ann", None)
        assert callback.zone == ("Europe/London" if script else "America/Chicago")

        await page.get_by_role("link", name="Change the time").click()
        await page.locator("button.time").nth(2).click()
        await expect(page.get_by_role("status").first).to_have_text("The time is changed.")
        await expect(page.get_by_text("Your time is reserved")).to_be_visible()
        assert (await only(site)).slot_start is not None
        await page.get_by_role("link", name="Change the time").click()
        await page.get_by_role("button", name="As soon as possible").click()
        await expect(page.locator(".place .number")).to_have_text("1")

        await page.get_by_role("link", name="Cancel the call").click()
        await page.get_by_role("link", name="No, keep it").click()
        await page.get_by_role("link", name="Cancel the call").click()
        await page.get_by_role("button", name="Yes, cancel the call").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("The call is cancelled")
        assert (await only(site)).state is State.CANCELLED
        await page.get_by_role("link", name="Ask for another call").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("When shall we call you?")


@SCRIPTS
async def test_a_second_click_and_going_back_change_nothing(
    site: Any, browser: Browser, script: bool
) -> None:
    async with opened(site, browser, "/callback?topic=sales", script=script) as page:
        await page.locator("a.time").nth(1).click()
        await fill_in(page)
        await page.get_by_role("button", name="Ask for the call").dblclick()
        await expect(page.get_by_text("Your time is reserved")).to_be_visible()
        await page.go_back()
        await expect(page.get_by_text("Your time is reserved")).to_be_visible()
        await page.reload()
        await expect(page.get_by_text("Your time is reserved")).to_be_visible()
    assert (await only(site)).version == 1


async def test_going_back_past_a_mistake_sends_nothing(site: Any, browser: Browser) -> None:
    async with opened(site, browser, "/callback?topic=sales") as page:
        await page.get_by_role("link", name="As soon as possible").click()
        await fill_in(page, "12")
        await page.locator("button.main").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await page.reload()
        await fill_in(page)
        await page.get_by_label("Name").fill("Ada")
        await page.locator("button.main").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("We will call you back")
        await page.go_back()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("We will call you back")
        assert (await only(site)).name == "Ada"


@SCRIPTS
async def test_the_language_can_be_changed_at_any_time(site: Any, browser: Browser, script: bool) -> None:
    async with opened(site, browser, "/callback?topic=sales", script=script) as page:
        await page.get_by_role("link", name="日本語").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("いつお電話しましょうか")
        await page.locator("a.time").nth(1).click()
        await page.get_by_label("電話番号").fill(new_number())
        await page.get_by_label("同意します").check()
        await page.get_by_role("button", name="折り返し電話を依頼する").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("折り返しお電話します")
        await page.get_by_role("link", name="English").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("We will call you back")
        assert await page.locator("html").get_attribute("lang") == "en"


# What a script does better.


async def test_times_are_those_of_the_browser(site: Any, browser: Browser) -> None:
    async with opened(site, browser, "/callback?topic=sales", timezone_id="Asia/Tokyo") as page:
        await expect(page.get_by_text("All times are Tokyo time (UTC+9).")).to_be_visible()
    async with opened(site, browser, "/callback?topic=sales", timezone_id="Asia/Tokyo", script=False) as page:
        await expect(page.get_by_text("All times are Chicago time")).to_be_visible()


async def test_the_place_in_line_moves_up_by_itself(site: Any, browser: Browser) -> None:
    first, second = await asked(site), await asked(site)
    async with opened(site, browser, "/callback/none") as page:
        await page.clock.install()
        await page.goto(site.url + await link_of(site, second))
        place = page.locator(".place .number")
        await expect(place).to_have_text("2")
        await page.evaluate("window.untouched = true")
        await site.services.callbacks.cancel(first.callback_id, by="customer")
        await page.clock.fast_forward(11_000)
        await expect(place).to_have_text("1")
        assert await page.evaluate("window.untouched")
        await expect(page.locator("[data-field=spoken]")).to_contain_text("1")
        # What changes more than that draws the page anew.
        await site.services.callbacks.cancel(second.callback_id, by="customer")
        await page.clock.fast_forward(11_000)
        await expect(page.get_by_role("heading", level=1)).to_have_text("The call is cancelled")


async def test_an_outage_is_waited_out(site: Any, browser: Browser) -> None:
    callback = await asked(site)
    async with opened(site, browser, "/callback/none") as page:
        await page.clock.install()
        await page.route("**/state*", lambda route: route.fulfill(status=429))
        await page.goto(site.url + await link_of(site, callback))
        await page.clock.fast_forward(11_000)
        await page.unroute("**/state*")
        await site.services.callbacks.cancel(callback.callback_id, by="customer")
        await page.clock.fast_forward(30_000)
        await expect(page.get_by_role("heading", level=1)).to_have_text("The call is cancelled")


# For everybody.


async def test_what_is_wrong_is_found_without_seeing_it(site: Any, browser: Browser) -> None:
    async with opened(site, browser, "/callback?topic=sales") as page:
        await page.locator("a.time").first.click()
        await fill_in(page, "12")
        await page.get_by_role("button", name="Ask for the call").click()
        await expect(page.get_by_role("alert")).to_be_focused()
        await expect(page).to_have_title("Problem: How do we reach you? · Northwind")
        number = page.get_by_label("Telephone number")
        await expect(number).to_have_attribute("aria-invalid", "true")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(number).to_be_focused()


async def test_all_is_done_by_keyboard_in_order(site: Any, browser: Browser) -> None:
    async with opened(site, browser, "/callback?topic=sales") as page:
        await expect(page.get_by_text("All times are London time")).to_be_visible()
        order = []
        for _ in range(6):
            await page.keyboard.press("Tab")
            order.append(await page.evaluate("document.activeElement.textContent.trim().split('\\n')[0]"))
        assert order[0] == "Skip to the content"
        assert order[1] == "日本語"
        assert order[2].startswith("Change")
        assert order[3].startswith("As soon as possible")
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await page.get_by_label("Telephone number").focus()
        for text in (new_number(), "Ann"):
            await page.keyboard.type(text)
            await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await expect(page.locator(".place .number")).to_have_text("1")


async def test_who_wants_less_motion_gets_none(site: Any, browser: Browser) -> None:
    callback = await asked(site)
    await site.services.database.execute("UPDATE callback.callback SET state = 'due'")
    ring = "getComputedStyle(document.querySelector('h1'), '::before').animationName"
    for motion, name in (("reduce", "none"), ("no-preference", "ring")):
        async with opened(site, browser, await link_of(site, callback), reduced_motion=motion) as page:
            await expect(page.get_by_role("heading", level=1)).to_have_text("It is almost your turn")
            assert await page.evaluate(ring) == name


async def all_pages(site: Any, page: Page, look: Callable[[str], Awaitable[None]]) -> None:
    """Go through all pages there are, and look at each."""
    suffix = (await page.locator("html").get_attribute("lang")) or ""
    await look("topics")
    await page.locator(".choice").first.click()
    await page.wait_for_load_state()
    await look("times")
    await page.locator("a.time").nth(1).click()
    await look("details")
    await page.evaluate("document.forms[0].noValidate = true")
    await page.locator("#number").fill("12")
    await page.locator("button.main").click()
    await look("details-wrong")
    number = new_number()
    await page.locator("#number").fill(number)
    await page.locator("#consent").check()
    await page.locator("button.main").click()
    await page.locator(".standing").wait_for()
    await look("status")
    link = page.url
    await page.locator(".actions .button").first.click()
    await look("move")
    await page.locator(".choice.first").click()
    await page.locator(".place").wait_for()
    await look("status-moved")
    await page.locator(".actions .button").nth(1).click()
    await look("cancel")
    await page.goto(f"{site.url}/callback?topic=sales&at=soonest&lang={suffix}")
    await page.locator("#number").fill(number)
    await page.locator("#consent").check()
    await page.locator("button.main").click()
    await look("stands")
    for state in ("retry_wait", "due", "dialing"):
        await site.services.database.execute(SET_STATE[state])
        await page.goto(link)
        await look(f"status-{state}")
    await page.goto(f"{site.url}/callback/none?lang={suffix}")
    await look("link")


SET_STATE = {
    "retry_wait": "UPDATE callback.callback SET state = 'retry_wait', attempts = 1,"
    " promised_until = now() - interval '1 min'",
    "due": "UPDATE callback.callback SET state = 'due'",
    "dialing": "UPDATE callback.callback SET state = 'dialing', worker = gen_random_uuid(),"
    " lease_until = clock_timestamp() + interval '1 min'",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("language", "zone"), [("en", "Europe/London"), ("ja", "Asia/Tokyo")])
async def test_all_pages_are_accessible(
    site: Any, browser: Browser, language: str, zone: str, scheme: str
) -> None:
    found: dict[str, list[str]] = {}
    axe = Axe()

    async def look(name: str) -> None:
        result = await axe.run(page, options={"runOnly": {"type": "tag", "values": WCAG}})
        bad = [
            f"{one['id']}: {node['html'][:120]}"
            for one in result.response["violations"]
            for node in one["nodes"]
        ]
        await keep(page, f"{name}-{language}-{scheme}")
        await page.set_viewport_size({"width": NARROWEST, "height": 700})
        if await page.evaluate("document.documentElement.scrollWidth") > NARROWEST:
            bad.append("scrolls sideways")
        await page.set_viewport_size(WIDE)
        await keep(page, f"{name}-{language}-{scheme}-wide")
        await page.set_viewport_size(PHONE)
        if bad:
            found[name] = bad

    async with opened(
        site, browser, f"/callback?lang={language}", color_scheme=scheme, timezone_id=zone
    ) as page:
        await all_pages(site, page, look)
    assert found == {}


CODES = {"code": "sms", "code_url": "http://127.0.0.1:1/", "code_secret": "a secret of the tests"}


@pytest.mark.parametrize(
    "settings",
    [Settings(queues=[Queue(name="sales", callback=RULES)], callbacks={"page": CODES})],
    ids=["codes"],
)
@pytest.mark.parametrize("language", ["en", "ja"])
async def test_the_pages_of_a_form_are_accessible(site: Any, browser: Browser, language: str) -> None:
    codes, axe = PageCodes(site.services.database), Axe()
    wish = {"topic": "sales", "title": "", "at": "soonest", "zone": "", "name": "", "language": language}
    await codes.open("one", wish | {"number": new_number()})
    await codes.send("one", b"a hash")
    path = f"/callback/code?key=one&lang={language}&notice=sent"
    # Without motion, so that no color is looked at half way between two schemes.
    async with opened(site, browser, path, reduced_motion="reduce") as page:
        for path in ("", "wrong", f"{site.url}/callback/time?key=one&lang={language}"):
            if path == "wrong":
                await page.locator("#code").fill("1")
                await page.locator("button.main").click()
                await expect(page.get_by_role("alert")).to_be_focused()
            elif path:
                await page.goto(path)
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)
                result = await axe.run(page, options={"runOnly": {"type": "tag", "values": WCAG}})
                assert result.response["violations"] == []


async def test_a_finger_hits_everything(site: Any, browser: Browser) -> None:
    """What is touched is at least 44 px high, more than the 24 px of WCAG 2.2, 2.5.8."""
    async with opened(site, browser, "/callback?topic=sales", has_touch=True) as page:
        await expect(page.get_by_text("All times are London time")).to_be_visible()
        heights = await page.evaluate(
            "[...document.querySelectorAll('.choice, .time, summary, nav a')]"
            ".filter(e => e.offsetParent).map(e => e.getBoundingClientRect().height)"
        )
        assert min(heights) >= 44
        await page.locator("a.time").first.tap()
        await expect(page.get_by_label("Telephone number")).to_be_visible()
        heights = await page.evaluate(
            "[...document.querySelectorAll('#number, #name, #language, button')]"
            ".map(e => e.getBoundingClientRect().height)"
        )
        assert min(heights) >= 44


async def test_many_at_once(site: Any, browser: Browser) -> None:
    """Two who want the same time: one is offered those next to it, in the browser too."""
    async with (
        opened(site, browser, "/callback?topic=sales") as one,
        opened(site, browser, "/callback?topic=sales") as other,
    ):
        for page in (one, other):
            await expect(page.get_by_text("All times are London time")).to_be_visible()
            await page.locator("a.time").nth(3).click()
            await fill_in(page)
        await asyncio.gather(
            *(page.get_by_role("button", name="Ask for the call").click() for page in (one, other))
        )
        for page in (one, other):
            await page.wait_for_load_state()
        headings = [await page.get_by_role("heading", level=1).inner_text() for page in (one, other)]
        assert sorted(headings) == ["Please choose another time", "We will call you back"]
        late = (one, other)[headings.index("Please choose another time")]
        await keep(late, "taken")
        await late.locator("button.time").first.click()
        await expect(late.get_by_text("Your time is reserved")).to_be_visible()
