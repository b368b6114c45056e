"""A customer on the page: a browser without a script, as far as forms and links go."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from aiohttp import ClientSession


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class Seen:
    """A page that was answered, after all redirects. ``buttons`` of forms go by what stands on them."""

    url: str
    status: int
    html: str
    headers: Any
    language: str = ""
    text: str = ""
    links: dict[str, str] = field(default_factory=dict)
    forms: list[Form] = field(default_factory=list)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def form(self, ending: str) -> Form:
        return next(form for form in self.forms if urlsplit(form.action).path.endswith(ending))

    def times(self) -> list[str]:
        """Where the times that are links lead, or what the buttons of times say."""
        links = [href for text, href in self.links.items() if "at=20" in href]
        return links or [
            value for form in self.forms for name, value in form.buttons.values() if name == "at"
        ]


class Customer:
    """Goes from page to page of ``url``."""

    def __init__(self, client: ClientSession, url: str, **headers: str) -> None:
        self._client = client
        self._url = url
        self.headers = {"Accept-Language": "en"} | {k.replace("_", "-"): v for k, v in headers.items()}

    async def get(self, path: str, *, follow: bool = True) -> Seen:
        return await self._ask("GET", path, None, follow)

    async def post(self, path: str, values: Any, *, follow: bool = True, **headers: str) -> Seen:
        return await self._ask("POST", path, values, follow, headers)

    async def send(self, form: Form, *, button: str = "", follow: bool = True, **values: str) -> Seen:
        """Send a form with ``values``, as if by the button that says ``button``."""
        pressed = dict([form.buttons[button]]) if button else {}
        return await self.post(form.action, form.fields | pressed | values, follow=follow)

    async def _ask(
        self, method: str, path: str, values: Any, follow: bool, headers: dict[str, str] | None = None
    ) -> Seen:
        async with self._client.request(
            method,
            urljoin(self._url, path),
            data=values,
            headers=self.headers | {k.replace("_", "-"): v for k, v in (headers or {}).items()},
            allow_redirects=follow,
        ) as response:
            assert not response.cookies
            return read(str(response.url), response.status, await response.text(), response.headers)


def read(url: str, status: int, html: str, headers: Any) -> Seen:
    seen = Seen(url, status, html, headers)
    _Reader(seen).feed(html)
    seen.text = " ".join(seen.text.split())
    return seen


class _Reader(HTMLParser):
    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._seen = seen
        self._form: Form | None = None
        self._named: tuple[str, Any] | None = None
        self._said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "html":
            self._seen.language = given.get("lang", "")
        elif tag == "a":
            self._named, self._said = ("a", given.get("href", "")), ""
        elif tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get"))
            self._seen.forms.append(self._form)
        elif tag == "button":
            self._named, self._said = ("button", (given.get("name", ""), given.get("value", ""))), ""
        elif self._form is not None and tag == "input" and given.get("type") != "checkbox":
            self._form.fields[given["name"]] = given.get("value", "")
        elif self._form is not None and tag == "option" and ("selected" in given):
            self._form.fields["language"] = given["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if self._named is not None and tag == self._named[0]:
            said = " ".join(self._said.split())
            if tag == "a":
                self._seen.links[said] = self._named[1]
            elif self._form is not None:
                self._form.buttons[said] = self._named[1]
            self._named = None

    def handle_data(self, data: str) -> None:
        self._seen.text += f" {data}"
        self._said += data
