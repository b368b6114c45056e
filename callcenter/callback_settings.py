"""Settings of callbacks: what a queue offers and how it dials, and what holds for all of them. Pure."""

from base64 import b64decode
from datetime import date
from functools import cached_property
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from callback.state import State
from callcenter.section import Language, Name, Seconds, Section
from ivr import Hours

Key = Annotated[str, Field(pattern=r"^[0-9*#]$")]


def _clock(value: Any) -> Any:
    """YAML reads 10:00 without quotes as so many minutes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value // 60:02}:{value % 60:02}"
    return value


def _hours(value: Any) -> Any:
    """The plan as it was written, with the days that YAML reads as dates written again; checked."""
    if value is None:
        return None
    value = _written(value)
    try:
        Hours.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise PydanticCustomError(
            "within", "{message}", {"message": problem["msg"], "at": problem["loc"]}
        ) from None
    return value


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _written(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_written(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def _zone(name: str) -> str:
    try:
        return name and ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}") from None


Clock = Annotated[str, BeforeValidator(_clock), Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
Region = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Regions = Annotated[str, Field(pattern=r"^([A-Z]{2}|\*)$")]
ANYWHERE = "*"
Title = Annotated[str, Field(min_length=1, max_length=60)]
Prefix = Annotated[str, Field(pattern=r"^\+[0-9]{1,15}$")]
_BASE64_SECRET = "whsec_"  # noqa: S105  # the visible beginning of a secret


class Retry(Section):
    """How long after an attempt the next one comes, by what became of it; ``jitter`` is added at random."""

    busy_s: Seconds = 120
    no_answer_s: Seconds = 300
    machine_s: Seconds = 1800
    failed_s: Seconds = 300
    not_confirmed_s: Seconds = 1800
    jitter: float = Field(0.2, ge=0, le=1)


class Machine(Section):
    """What happens when a machine answers; without ``detect`` everybody counts as a person."""

    detect: bool = False
    then: Literal["retry", "message_retry", "message_complete"] = "retry"
    message: str = Field("", max_length=500)


class Slots(Section):
    """Buckets of ``minutes`` with room for ``capacity`` callbacks each, up to ``days`` ahead."""

    minutes: Literal[5, 10, 15, 20, 30, 60, 120] = 15
    capacity: int = Field(2, ge=1, le=10_000)
    days: int = Field(14, ge=1, le=90)
    lead_s: Seconds = 900


class CallbackRules(Section):
    """Callbacks of one queue.

    Callers are offered one when they would wait longer than ``offer_after_s``, or press ``key`` at any time.
    ``accept`` off takes no new ones, ``process`` off dials none. ``hours`` are weekly opening hours as in a
    flow; nobody is dialled outside of them, nor, on the customer's clock, before ``dial_from`` or after
    ``dial_until``. New ones end ``stop_before_close_s`` before closing. What is left at closing is served
    all the same, carried over to the next open period, or expires, as ``at_close`` says. ``zone`` is that of
    slots, by default the zone of the opening hours. Callbacks go to the queue ``fallback`` when this one is
    removed. More than ``max_pending`` open ones, or a
    longer wait than ``max_wait_s``, stop the offering. A customer who picked up waits for an agent for
    ``wait_cap_s`` at most. An ``owner`` is waited for alone for ``owner_wait_s``. ``title`` is what the
    customers' page calls the queue, by language. Called are numbers of the countries ``regions``, without any
    of ``region`` alone: whoever asks costs us a call, so far away ones are a choice. ``*`` is any country.
    """

    enabled: bool = False
    title: dict[Language, Title] = Field({}, max_length=20)
    accept: bool = True
    process: bool = True
    offer_after_s: Seconds = 180
    key: Key = "1"
    mode: Literal["agent_first", "customer_first"] = "agent_first"
    attempts: int = Field(3, ge=1, le=20)
    ring_s: float = Field(20, ge=5, le=120)
    earliest_s: float = Field(60, ge=0, le=3600)
    retry: Retry = Retry()
    pacing: float = Field(1.0, gt=0, le=5)
    machine: Machine = Machine()
    confirm_key: Key = "1"
    confirm_s: Seconds = 15
    snooze_s: Seconds = 600
    hours: Annotated[dict[str, Any] | None, BeforeValidator(_hours)] = None
    dial_from: Clock = "08:00"
    dial_until: Clock = "21:00"
    stop_before_close_s: float = Field(120, ge=0, le=86_400)
    at_close: Literal["serve", "carry_over", "expire"] = "carry_over"
    max_pending: int = Field(500, ge=1, le=1_000_000)
    max_wait_s: Seconds = 7200
    wait_cap_s: Seconds = 60
    owner_wait_s: Seconds = 3600
    owner_absent: Literal["queue", "cancel"] = "queue"
    fallback: Name | None = None
    slots: Slots = Slots()
    zone: Annotated[str, AfterValidator(_zone)] = ""
    from_number: str = Field("", max_length=50)
    region: Region = "US"
    regions: list[Regions] = Field([], max_length=250)

    @field_validator("dial_until")
    @classmethod
    def _ends_after_it_begins(cls, until: str, info: ValidationInfo) -> str:
        since = info.data.get("dial_from")
        if since is not None and until <= since:
            raise ValueError(f"{until} is not after dial_from, {since}")
        return until

    @field_validator("machine")
    @classmethod
    def _has_a_message(cls, machine: Machine) -> Machine:
        if machine.then != "retry" and not machine.message:
            raise ValueError("a message is needed where one is left")
        return machine

    @cached_property
    def plan(self) -> Hours | None:
        """The opening hours; ``None`` is always open."""
        return None if self.hours is None else Hours.model_validate(self.hours)


CHANGES = frozenset(State) | {"edited", "moved", "reassigned", "expedited", "erased"}
"""What can be told of a callback: where it came to or, where it stays where it is, what was done."""


class Webhook(Section):
    """Who is told of callbacks' changes; ``steps`` are names of events without ``callback.``, none is all.

    At most ``at_once`` are told at the same time per process, each within ``timeout_s``. A secret that begins
    with ``whsec_`` is base64 after that, any other one is taken as it is.
    """

    name: Name
    url: str = Field(max_length=2000)
    secret: SecretStr
    steps: list[str] = Field([], max_length=50)
    at_once: int = Field(8, ge=1, le=64)
    timeout_s: float = Field(10, ge=1, le=60)

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        address = urlsplit(self.url)
        if address.scheme not in {"http", "https"} or not address.hostname or not self.url.isprintable():
            raise ValueError("url must begin with http:// or https:// and name a host")
        if len(self.key) < 16:
            raise ValueError("secret must have at least 16 characters")
        if unknown := sorted(set(self.steps) - CHANGES):
            raise ValueError(f"steps: there is no {unknown[0]}; there are {', '.join(sorted(CHANGES))}")
        return self

    @property
    def key(self) -> bytes:
        """What messages are signed with; raises ``ValueError`` for what is not base64 after ``whsec_``."""
        secret = self.secret.get_secret_value()
        if not secret.startswith(_BASE64_SECRET):
            return secret.encode()
        try:
            return b64decode(secret.removeprefix(_BASE64_SECRET), validate=True)
        except ValueError:
            raise ValueError("secret must be base64 after whsec_") from None


class Page(Section):
    """The customers' page; ``code_url`` is told ``{number, code, language, channel}`` to send codes.

    At most so many requests per hour, and per day, are for one number and from one address; behind
    ``trusted_proxies`` (addresses or networks) that is the one that they name in ``X-Forwarded-For``.
    """

    enabled: bool = True
    title: str = Field("", max_length=100)
    code: Literal["off", "sms", "call"] = "off"
    code_url: str = Field("", max_length=2000)
    code_secret: SecretStr = SecretStr("")
    per_number_hour: int = Field(5, ge=1, le=1000)
    per_number_day: int = Field(10, ge=1, le=1000)
    per_address_hour: int = Field(20, ge=1, le=10_000)
    link_days: int = Field(30, ge=1, le=365)
    trusted_proxies: list[str] = Field([], max_length=50)

    @model_validator(mode="after")
    def _codes_can_be_sent(self) -> Self:
        if self.code != "off":
            address = urlsplit(self.code_url)
            if address.scheme not in {"http", "https"} or not address.hostname:
                raise ValueError("code_url must begin with http:// or https:// where codes are sent")
            if len(self.code_secret.get_secret_value()) < 16:
                raise ValueError("code_secret must have at least 16 characters where codes are sent")
        for text in self.trusted_proxies:
            try:
                ip_network(text, strict=False)
            except ValueError:
                raise ValueError(f"trusted_proxies: {text!r} is no address or network") from None
        return self


class Callbacks(Section):
    """What holds for all callbacks.

    ``workers`` is how many callbacks this process carries at once; 0 carries none. A worker that is not heard
    of for ``lease_s`` loses its callbacks to others. No more than ``dial_rate_per_s`` fall due per second, so
    that a backlog after an outage is no stampede. Numbers that begin with one of ``refused`` are not called.
    Customers are dialled through ``gateway``, or through the one that is enabled.
    """

    gateway: Literal["", "twilio", "asterisk"] = ""
    workers: int = Field(50, ge=0, le=10_000)
    lease_s: float = Field(30, ge=2, le=600)
    dial_rate_per_s: float = Field(50, gt=0, le=10_000)
    own_numbers: list[Prefix] = Field([], max_length=10_000)
    refused: list[Prefix] = Field([], max_length=10_000)
    webhooks: list[Webhook] = Field([], max_length=50)
    page: Page = Page()
    keep_days: int = Field(365, ge=1, le=3650)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [webhook.name for webhook in self.webhooks]
        if repeated := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"webhooks: the name {repeated} is given twice")
        return self
