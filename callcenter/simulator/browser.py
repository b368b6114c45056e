"""A browser in small, without scripts: it follows links and sends forms as any other would."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

from aiohttp import ClientError, ClientSession, ClientTimeout, CookieJar

from callcenter.errors import CallCenterError

_TIMEOUT = ClientTimeout(total=10)


class PageError(CallCenterError):
    """The service's page did not come, or has not what is looked for."""


@dataclass(slots=True)
class Form:
    """A form as it came: what would be sent, and what may be chosen instead, in order.

    ``buttons`` are the names and values of what sends it.
    """

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Page:
    """What the browser shows. ``text`` is what a person reads."""

    url: str
    status: int
    forms: list[Form]
    links: list[str]
    text: str

    def form(self, *names: str) -> Form:
        """The first form that has all these fields. Raises ``PageError``."""
        for form in self.forms:
            if form.names >= set(names):
                return form
        raise PageError(f"{self.status}: there is no form with {', '.join(names) or 'any field'}")


class Browser:
    """One person's browser, for as long as it is entered, with cookies of its own."""

    def __init__(self, url: str) -> None:
        self._base = url
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession(cookie_jar=CookieJar(unsafe=True), timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def open(self, url: str) -> Page:
        """Go to a page. Raises ``PageError`` where nothing answers."""
        return await self._go("GET", urljoin(self._base, url), {})

    async def send(self, page: Page, form: Form, values: Mapping[str, str]) -> Page:
        """Fill in a form of the page, send it, and go where it leads. Raises ``PageError``."""
        return await self._go(form.method, urljoin(page.url, form.action), {**form.values, **values})

    async def _go(self, method: str, url: str, values: Mapping[str, str]) -> Page:
        assert self._session is not None
        headers = {"Origin": self._base, "Referer": url}
        data, query = (values, None) if method == "POST" else (None, values or None)
        try:
            async with self._session.request(method, url, data=data, params=query, headers=headers) as answer:
                return Page(str(answer.url), answer.status, *read(await answer.text()))
        except (ClientError, TimeoutError) as error:
            raise PageError(f"the page did not come: {type(error).__name__}") from None


def read(html: str) -> tuple[list[Form], list[str], str]:
    """Forms, where links lead, and what a person reads."""
    reader = _Reader()
    reader.feed(html)
    return reader.forms, reader.links, " ".join(reader.words)


class _Reader(HTMLParser):
    """Finds forms, links and words."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._select = ""
        self._unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "a":
                self.links.append(given.get("href", ""))
            case "form":
                self._form = Form(given.get("action", ""), given.get("method", "get").upper())
                self.forms.append(self._form)
            case "script" | "style" | "template":
                self._unread += 1
            case "input" | "textarea" | "select" | "button" | "option":
                self._field(tag, given)

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "form":
                self._form = None
            case "select":
                self._select = ""
            case "script" | "style" | "template":
                self._unread -= 1

    def handle_data(self, data: str) -> None:
        if not self._unread and data.strip():
            self.words.append(data.strip())

    def _field(self, tag: str, given: dict[str, str]) -> None:
        form = self._form
        name = given.get("name", self._select if tag == "option" else "")
        if form is None or not name or "disabled" in given:
            return
        form.names.add(name)
        kind, value = given.get("type", ""), given.get("value", "")
        if tag == "button" or kind == "submit":
            form.buttons.append((name, value))
        elif tag == "select":
            self._select = name
        elif tag == "option" or kind in {"radio", "checkbox"}:
            self._choice(form, name, value or ("on" if kind == "checkbox" else ""), given)
        else:
            form.values[name] = value

    @staticmethod
    def _choice(form: Form, name: str, value: str, given: dict[str, str]) -> None:
        known = form.choices.setdefault(name, [])
        known.append(value)
        is_first_option = not given.get("type") and len(known) == 1
        if is_first_option or "checked" in given or "selected" in given:
            form.values[name] = value
