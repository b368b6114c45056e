"""Customers who book, move and call off a callback on the customers' page, in a browser without scripts."""

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from callcenter.simulator.asking import expect
from callcenter.simulator.browser import Browser, Page, PageError
from callcenter.simulator.callback_plan import Meanwhile
from callcenter.simulator.scenario import CallerPlan
from callcenter.simulator.world import Expecting, World

START = "/callback"
SOONEST = "soonest"


async def book(world: World, plan: CallerPlan, dialled: str) -> None:
    """Choose topic and time, fill in the form, and keep the address of the page that it leads to."""
    assert plan.callback is not None
    async with Browser(world.api.url) as browser:
        topic = plan.queue or str(plan.topic)
        page = await browser.open(START)
        if at_topics := _links(page, "topic", topic):
            page = await browser.open(at_topics[0])
        times = _times(page)
        at = SOONEST if plan.callback.books_soonest or len(times) < 2 else _next(times)
        page = await browser.open(times[at])
        expecting = expect(world, plan, dialled, "page")
        _chose(expecting, at)
        page = await browser.send(
            page, page.form("number", "consent"), {"number": plan.number, "consent": "yes"}
        )
        if page.status != 200:
            raise PageError(f"the form was not taken: {page.text[:200]}")
        expecting.page = page.url


async def change(world: World, expecting: Expecting, what: Meanwhile) -> None:
    """Move the callback to as soon as possible, or call it off, by the address that was kept."""
    async with Browser(world.api.url) as browser:
        page = await browser.open(expecting.page)
        if what is Meanwhile.CANCEL_ON_PAGE:
            page = await browser.open(_ending(page, "/cancel"))
            expecting.end("cancelled", world.now())
            page = await browser.send(page, page.form("key"), {})
        else:
            page = await browser.open(_ending(page, "/move"))
            _chose(expecting, SOONEST)
            expecting.truth.moved += 1
            page = await browser.send(page, page.form("key", "at"), {"at": SOONEST})
        world.report(expecting.plan.number, what.replace("_", " "), call=expecting.plan.number)
        if page.status != 200:
            raise PageError(f"{what} was not taken: {page.text[:200]}")


def _chose(expecting: Expecting, at: str) -> None:
    start = None if at == SOONEST else datetime.fromisoformat(at).timestamp()
    expecting.truth.earliest_at = start


def _times(page: Page) -> dict[str, str]:
    """Where each time that is offered leads."""
    found = {_asked(link, "at"): link for link in page.links if _asked(link, "at")}
    if not found:
        raise PageError(f"no times are offered: {page.text[:200]}")
    return found


def _next(times: dict[str, str]) -> str:
    return min(at for at in times if at != SOONEST)


def _links(page: Page, name: str, value: str) -> list[str]:
    return [link for link in page.links if _asked(link, name) == value and not _asked(link, "at")]


def _asked(link: str, name: str) -> str:
    return parse_qs(urlsplit(link).query).get(name, [""])[0]


def _ending(page: Page, path: str) -> str:
    for link in page.links:
        if urlsplit(link).path.endswith(path):
            return link
    raise PageError(f"there is no way to {path}: {page.text[:200]}")
