"""``/callback``: where customers ask to be called back, step by step, without a script if need be.

Topic, time and the form's one-time key stand in the address; what tells of a person is only ever sent by POST
and waits in the database. What is granted leads to another page, so going back or reloading sends nothing
again, and the same form sent twice is one request.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from callback.errors import NotFoundError, RefusedError
from callback.links import Purpose
from callback.refusal import Refusal
from callback.request import Callback
from callcenter.callbacks.desk import CallbackDesk
from callcenter.queueing import Queue
from callcenter.storage.page_codes import Filled, PageCodes
from callcenter.web.customer import forms
from callcenter.web.customer.choices import is_choice, start_of
from callcenter.web.customer.drawing import Drawing, read_form, seen
from callcenter.web.customer.forms import BadFormError, OldFormError
from callcenter.web.customer.language import DEFAULT, LANGUAGES
from callcenter.web.customer.limits import Limits
from callcenter.web.customer.offering import Offering
from callcenter.web.customer.standing import Row
from callcenter.web.customer.topics import Topics
from callcenter.web.customer.visit import Visit
from callcenter.web.customer.way import Way

PURPOSE = "request"
NOTICES = {
    "number": ("number", "wrong_number_kind"),
    "wait": ("form", "wrong_code_wait"),
    "unsent": ("form", "wrong_code_unsent"),
}
"""What was found out about a form after it was sent: which field it is about, and the text."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form as it is shown: never with a number, at most with how the one that we have ends."""

    topic: str
    at: str
    again: str
    ending: str
    name: str
    language: str


class CallbackPage:
    """Asking for a call. ``steps`` is how many there are."""

    def __init__(
        self,
        desk: CallbackDesk,
        topics: Topics,
        drawing: Drawing,
        way: Way,
        codes: PageCodes,
        limits: Limits,
        steps: int,
    ) -> None:
        self._desk = desk
        self._topics = topics
        self._drawing = drawing
        self._way = way
        self._codes = codes
        self._limits = limits
        self._steps = steps
        self._offering = Offering(desk)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        handle = self._drawing.handle
        return [web.get("/callback", handle(self.start)), web.post("/callback", handle(self.ask))]

    # Topic, time, form.

    async def start(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        """The first step that the address does not answer yet."""
        topics = self._topics.all()
        if not topics:
            return self._drawing.message(visit, "nothing_open", 200)
        topic = self._topics.find(visit.asked.get("topic", ""))
        if topic is None and len(topics) == 1:
            topic = topics[0]
        if topic is None:
            return await self._show_topics(visit, topics)
        at = visit.asked.get("at", "")
        return await (self._show_details if is_choice(at) else self._show_times)(visit, topic)

    async def _show_topics(self, visit: Visit, topics: Sequence[Queue]) -> web.Response:
        again = visit.asked.get("again", "")
        rows = [
            {
                "title": self._topics.title(queue.name, visit.language),
                "text": (await self._offering.soonest(queue.name, visit)).text,
                "href": visit.url("/callback", topic=queue.name, again=again),
            }
            for queue in topics
        ]
        return self._drawing.page(visit, "topics", topics=rows)

    async def _show_times(self, visit: Visit, topic: Queue) -> web.Response:
        several = len(self._topics.all()) > 1
        if await self._desk.is_full(topic.name):
            return self._drawing.message(visit, "not_offered", 200, again=several)
        key, again = await self._new_key(visit), visit.asked.get("again", "")

        def href(at: str) -> str:
            return visit.url("/callback", topic=topic.name, at=at, again=again, key=key)

        offered = await self._offering.of(topic.name, visit, href=href)
        if offered.is_nothing:
            return self._drawing.message(visit, "not_offered", 200, again=several)
        rows = self._rows(visit, topic.name)
        return await self._drawing.long_page(
            visit, "times", rows=rows, steps=self._steps, **offered.as_values()
        )

    async def _show_details(self, visit: Visit, topic: Queue) -> web.StreamResponse:
        key, at, again = (visit.asked.get(name, "") for name in ("key", "at", "again"))
        if not await self._is_good(key, visit):
            key = await self._new_key(visit)
            return seen(visit.url("/callback", topic=topic.name, at=at, again=again, key=key))
        filled = await self._codes.find(key)
        if filled is not None and filled.done:
            return await self._way.on(visit, key, filled)
        form = await self._form(visit, topic.name, at, again, filled.wish if filled else None)
        field, text = NOTICES.get(visit.asked.get("notice", ""), ("", ""))
        texts: dict[str, str] = {**visit.words}  # type: ignore[dict-item]
        return self._details(visit, key, form, {field: texts[text]} if field else {})

    def _details(
        self, visit: Visit, key: str, form: Form, wrong: Mapping[str, str], status: int = 200
    ) -> web.Response:
        on = visit.on("/callback", topic=form.topic, at=form.at, again=form.again, key=key)
        rows = self._rows(on, form.topic, form.at)
        return self._drawing.page(
            on, "details", status, key=key, form=form, rows=rows, wrong=wrong, steps=self._steps
        )

    # The form is sent.

    async def ask(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        """Take the form; the same one again leads to where it led before."""
        sent = await read_form(request)
        if not is_choice(sent.get("at", "")):
            raise BadFormError
        key, topic = sent.get("key", ""), self._topics.find(sent.get("topic", ""))
        try:
            forms.check_key(key, PURPOSE, await self._desk.code_key(), visit.now)
        except OldFormError:
            return await self._renew(visit, sent)
        before = await self._codes.find(key)
        if before is not None and before.done:
            return await self._way.on(visit, key, before)
        if topic is None:
            return self._drawing.message(visit, "not_offered", 409, again=True)
        wish, wrong = await self._read(visit, topic, sent, before)
        if wish["number"]:
            await self._limits.count(request, wish["number"], key)
            filled = await self._codes.open(key, wish)
            if not wrong:
                return await self._way.on(visit, key, filled)
        form = await self._form(visit, topic.name, wish["at"], sent.get("again", ""), wish)
        return self._details(visit, key, form, wrong, 422)

    async def _renew(self, visit: Visit, sent: Mapping[str, str]) -> web.Response:
        """The form once more, with a new key."""
        form = await self._form(visit, sent.get("topic", ""), sent["at"], sent.get("again", ""), None)
        key, wrong = await self._new_key(visit), {"form": visit.words["wrong_old_form"]}
        return self._details(visit, key, form, wrong, 422)

    async def _read(
        self, visit: Visit, topic: Queue, sent: Mapping[str, str], before: Filled | None
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """What the form asks for, and what is wrong with it by field; no number where that is wrong."""
        words, number, wrong = visit.words, "", dict[str, str]()
        try:
            number = await self._number(topic.name, sent, before)
        except RefusedError as error:
            is_none = error.refusal is Refusal.NUMBER_INVALID
            wrong["number"] = words["wrong_number"] if is_none else words["wrong_number_kind"]
        if not number and not wrong:
            wrong["number"] = words["wrong_number_missing"]
        name, language = forms.plain(sent.get("name", "")), sent.get("language", "")
        if len(name) > forms.MAX_NAME_CHARS:
            wrong["name"] = words["wrong_name"].format(most=forms.MAX_NAME_CHARS)
        if language not in LANGUAGES:
            wrong["language"] = words["wrong_language"]
        if sent.get("consent") != "yes":
            wrong["consent"] = words["wrong_consent"]
        if sent.get("website"):
            wrong["form"] = words["wrong_trap"]
        wish = {
            "topic": topic.name,
            "title": self._topics.title(topic.name, DEFAULT),
            "at": sent["at"],
            "zone": visit.zone.key if visit.zone else "",
            "number": number,
            "name": name[: forms.MAX_NAME_CHARS],
            "language": language if language in LANGUAGES else visit.language,
        }
        return wish, wrong

    async def _number(self, queue: str, sent: Mapping[str, str], before: Filled | None) -> str:
        """What was typed, else what the form had before, else what was called the last time."""
        text = forms.number_text(sent.get("number", ""))
        if text:
            return self._desk.number(text, queue)
        if before is not None and before.wish.get("number"):
            return str(before.wish["number"])
        last = await self._last(sent.get("again", ""))
        return self._desk.number(last.number, queue) if last is not None and last.number else ""

    async def _form(
        self, visit: Visit, topic: str, at: str, again: str, known: Mapping[str, Any] | None
    ) -> Form:
        """What to fill the form in with: what it had, else what was asked for the last time."""
        last = await self._last(again)
        number, name, language = ("", "", "") if last is None else (last.number, last.name, last.language)
        if known is not None:
            number, name, language = known["number"] or number, known["name"], known["language"]
        shown = language if language in LANGUAGES else visit.language
        return Form(topic, at, again if last is not None else "", number[-2:], name, shown)

    async def _last(self, token: str) -> Callback | None:
        """What the link in a final notice is about; it fills a form in and proves nothing."""
        if not token:
            return None
        try:
            return await self._desk.by_link(token, Purpose.AGAIN)
        except NotFoundError:
            return None

    async def _new_key(self, visit: Visit) -> str:
        nonce = secrets.token_bytes(forms.NONCE_BYTES)
        return forms.form_key(PURPOSE, await self._desk.code_key(), visit.now, nonce)

    async def _is_good(self, key: str, visit: Visit) -> bool:
        try:
            forms.check_key(key, PURPOSE, await self._desk.code_key(), visit.now)
        except (BadFormError, OldFormError):
            return False
        return True

    def _rows(self, visit: Visit, topic: str, at: str = "") -> list[Row]:
        """What has been chosen so far, with the way back to each."""
        words, again = visit.words, visit.asked.get("again", "")
        several = len(self._topics.all()) > 1
        change = visit.url("/callback", again=again) if several else ""
        rows = [Row(words["chosen_topic"], self._topics.title(topic, visit.language), change)]
        if at:
            when, zone = self._when(visit, topic, at)
            change = visit.url("/callback", topic=topic, again=again)
            rows.append(Row(words["chosen_time"], when, change, zone))
        return rows

    def _when(self, visit: Visit, topic: str, at: str) -> tuple[str, str]:
        start = start_of(at)
        if start is None:
            return visit.words["soonest"], ""
        calendar = visit.calendar("" if visit.zone else self._desk.rules(topic).zone)
        return calendar.moment(start), calendar.zone_name(start)
