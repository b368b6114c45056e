"""Settings: one YAML file, overridden by ``CALLCENTER_*`` variables, validated once and passed down.

``CALLCENTER_SERVER__PORT=9000`` overrides ``server.port``: two underscores step into a section. An empty
variable counts as not set.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from callcenter import yaml_file
from callcenter.callback_settings import ANYWHERE, Callbacks
from callcenter.errors import ConfigError
from callcenter.queueing import Fault, Skill, SkillLevels, fallback_fault, overflow_fault, skill_fault
from callcenter.queueing import Queue as Queue
from callcenter.section import Language, Name, Seconds, Section
from callcenter.yaml_file import Place

ENV_PREFIX = "CALLCENTER_"
QUEUE_FILE_KEYS = frozenset({"skills", "queues"})


class Server(Section):
    """The HTTP side."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: str = ""
    node_url: str = ""
    drain_timeout_s: Seconds = 60
    max_calls: int = Field(500, ge=1)

    @model_validator(mode="after")
    def _urls_are_http(self) -> Self:
        for name in ("public_url", "node_url"):
            value = getattr(self, name)
            if value and urlsplit(value).scheme not in {"http", "https"}:
                raise ValueError(f"{name} must begin with http:// or https://, not {value!r}")
        return self


class Database(Section):
    """Where the rows live: embedded under ``data_dir`` unless ``url`` names a server."""

    url: SecretStr | None = None
    pool_size: int = Field(10, ge=2, le=200)
    event_buffer: int = Field(100_000, ge=1000)


class Twilio(Section):
    """A Twilio-compatible gateway."""

    enabled: bool = False
    account_sid: str = ""
    auth_token: SecretStr = SecretStr("")
    api_url: str = "https://api.twilio.com"
    from_number: str = ""
    request_timeout_s: Seconds = 10

    @model_validator(mode="after")
    def _credentials_go_together(self) -> Self:
        if self.enabled and not (self.account_sid and self.auth_token.get_secret_value()):
            raise ValueError("account_sid and auth_token are needed when the gateway is enabled")
        return self


class Asterisk(Section):
    """Asterisk over AudioSocket; calls are announced with ``token`` as bearer token.

    Customers are dialled as ``customer_endpoint``, such as ``PJSIP/{number}@trunk``.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = Field(9092, ge=0, le=65535)
    token: SecretStr = SecretStr("")
    ari_url: str = ""
    ari_user: str = ""
    ari_password: SecretStr = SecretStr("")
    agent_context: str = "callcenter-agent"
    customer_endpoint: str = Field("", max_length=200)

    @model_validator(mode="after")
    def _token_is_set(self) -> Self:
        if self.enabled and len(self.token.get_secret_value()) < 16:
            raise ValueError("token of at least 16 characters is needed when the gateway is enabled")
        return self


class Gateways(Section):
    """The networks calls come from.

    Through the API calls may be transferred only to numbers that begin with one of ``transfer_prefixes``:
    a stolen token must not dial premium numbers. Flows may transfer to what their author wrote.
    """

    transfer_prefixes: list[Annotated[str, Field(pattern=r"^\+?[0-9]{1,15}$")]] = Field([])

    twilio: Twilio = Twilio()
    asterisk: Asterisk = Asterisk()


class Cluster(Section):
    """Where speech compute outgrows the machine: replicas of the recognizer in a Ray cluster.

    ``address`` is Ray's; empty starts a cluster on this machine.
    """

    address: str = ""
    replicas_min: int = Field(1, ge=1, le=1000)
    replicas_max: int = Field(4, ge=1, le=1000)
    cores_per_replica: float = Field(1, gt=0)
    gpus_per_replica: float = Field(0, ge=0)

    @model_validator(mode="after")
    def _least_is_not_above_most(self) -> Self:
        if self.replicas_min > self.replicas_max:
            raise ValueError("replicas_min must not be above replicas_max")
        return self


class Asr(Section):
    """Speech recognition. ``model`` is a faster-whisper name or folder; ``demo-en`` is the bundled one.

    ``phrase_hints``: whether the model is told what can be said at a question of the IVR; not by default the
    bundled one, which was never trained with such words and hears worse with them.
    """

    enabled: bool = True
    engine: Literal["local", "ray"] = "local"
    model: str = "demo-en"
    language: Language = "en"
    languages: list[Language] = Field([])
    context: int | None = Field(None, ge=100, le=3000)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "int8"
    beam_size: int = Field(5, ge=1, le=10)
    workers: int = Field(1, ge=1, le=64)
    batch_ms: int = Field(300, ge=10, le=10_000)
    batch_rows: int = Field(8, ge=1, le=256)
    partials: bool = True
    word_times: bool = True
    phrase_hints: bool | None = None
    cluster: Cluster = Cluster()

    @property
    def takes_hints(self) -> bool:
        """Whether the model is told what can be said."""
        return self.model != "demo-en" if self.phrase_hints is None else self.phrase_hints


class Recording(Section):
    """Sound files."""

    enabled: bool = True
    format: Literal["flac", "wav"] = "flac"


class Prompts(Section):
    """What callers hear. A WAV file named after a prompt's text or name in ``folder`` overrides the voice.

    ``voices`` are for other languages than that of ``voice``; one that is not there is espeak-ng's own.
    """

    voice: str = "en-us"
    voices: dict[Language, str] = Field({})
    rate_wpm: int = Field(165, ge=80, le=450)
    folder: Path | None = None
    hold_music: Path | None = None


LookupHost = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$")]


class Ivr(Section):
    """What flows may do. Lookups may ask ``lookup_hosts`` only: ``host``, or ``host:port``."""

    lookup_hosts: list[LookupHost] = Field([], max_length=100)
    lookups_at_once: int = Field(20, ge=1, le=1000)
    recognise_days: int = Field(30, ge=1, le=3650)


class Agent(Section):
    """One agent known from the settings file; others are made by the API."""

    id: Name
    name: str = Field("", max_length=200)
    gateway: Literal["twilio", "asterisk"] = "twilio"
    address: str = Field(max_length=200)
    queues: list[Name] = Field([], max_length=1000)
    skills: SkillLevels = Field({})


class Route(Section):
    """Which flow answers a called number; ``*`` answers all others."""

    number: str
    flow: Path


class Metrics(Section):
    """Thresholds of the figures."""

    timezone: str = "UTC"
    service_level_s: Seconds = 20
    service_level_target: float = Field(0.8, gt=0, le=1)
    short_abandon_s: float = Field(6, ge=0, le=86_400)
    fcr_days: float = Field(7, gt=0, le=365)

    @model_validator(mode="after")
    def _zone_exists(self) -> Self:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"timezone: there is no time zone {self.timezone!r}") from None
        return self


class Settings(Section):
    """All settings, valid as a whole."""

    data_dir: Path = Path("var")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    server: Server = Server()
    database: Database = Database()
    gateways: Gateways = Gateways()
    asr: Asr = Asr()
    recording: Recording = Recording()
    prompts: Prompts = Prompts()
    ivr: Ivr = Ivr()
    metrics: Metrics = Metrics()
    callbacks: Callbacks = Callbacks()
    routes: list[Route] = Field([])
    skills: dict[Name, Skill] = Field({})
    queues: list[Queue] = Field([])
    agents: list[Agent] = Field([])

    @model_validator(mode="after")
    def _names_refer(self) -> Self:
        skilled = [(agent.id, agent.skills) for agent in self.agents]
        fault = (
            self._name_fault()
            or overflow_fault(self.queues)
            or fallback_fault(self.queues)
            or skill_fault(self.skills, self.queues, skilled)
        )
        if fault is not None:
            raise PydanticCustomError("fault", "{message}", {"message": fault[0], "at": fault[1]})
        return self

    def _name_fault(self) -> Fault | None:
        queues = [queue.name for queue in self.queues]
        agents = [agent.id for agent in self.agents]
        for kind, names in (("queue", queues), ("agent", agents)):
            for number, name in enumerate(names):
                if name in names[:number]:
                    return f"{kind} named twice: {name}", (f"{kind}s", number)
        for number, agent in enumerate(self.agents):
            if unknown := sorted(set(agent.queues) - set(queues)):
                where = ("agents", number, "queues")
                return f"agent {agent.id}: no such queue: {', '.join(unknown)}", where
        for number, queue in enumerate(self.queues):
            if unknown := sorted(set(queue.agents) - set(agents)):
                where = ("queues", number, "agents")
                return f"queue {queue.name}: no such agent: {', '.join(unknown)}", where
        return None

    def staff(self) -> list[Agent]:
        """The agents with all the queues they serve, whether their own settings or the queues' say so."""
        named = {
            agent.id: [queue.name for queue in self.queues if agent.id in queue.agents]
            for agent in self.agents
        }
        return [
            agent.model_copy(update={"queues": sorted({*agent.queues, *named[agent.id]})})
            for agent in self.agents
        ]


def load(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and validate the settings; paths in the file are relative to the file's folder.

    Raises ``ConfigError`` with file, line and field.
    """
    document = yaml_file.Document(lines={(): ""}) if path is None else yaml_file.read(path)
    if path is not None and isinstance(named := document.values.get("queues"), str):
        yaml_file.include(document, "queues", path.parent / Path(named).expanduser(), QUEUE_FILE_KEYS)
    variables = _override(document.values, environ)
    try:
        settings = Settings.model_validate(document.values)
    except ValidationError as error:
        raise ConfigError(_first_problem(error, document.lines, variables)) from None
    return _resolve(settings, path.parent if path is not None else Path())


def doubts(settings: Settings) -> list[str]:
    """What is allowed but hardly meant, one line each: no call comes in, or strangers make expensive ones."""
    gateways = settings.gateways
    enabled = {name for name in ("twilio", "asterisk") if getattr(gateways, name).enabled}
    found = []
    if not enabled:
        found.append("gateways: none is enabled, so no call can come in")
    if not settings.routes:
        found.append("routes: there are none, so no call is answered")
    if "twilio" in enabled and not settings.server.public_url:
        found.append("server.public_url: not set, so Twilio cannot reach the service and no signature fits")
    if "asterisk" in enabled and not gateways.asterisk.ari_url:
        found.append("gateways.asterisk.ari_url: not set, so no agent can be dialled through Asterisk")
    found += [
        f"agent {agent.id}: is dialled through {agent.gateway}, which is not enabled"
        for agent in settings.agents
        if enabled and agent.gateway not in enabled
    ]
    page = settings.callbacks.page
    found += [
        f"queue {queue.name}: callback.regions is any country and callbacks.page.code is off, so strangers"
        " can have you call the most expensive numbers there are"
        for queue in settings.queues
        if queue.callback.enabled
        and ANYWHERE in queue.callback.regions
        and page.enabled
        and page.code == "off"
    ]
    return found


def _override(document: dict[str, Any], environ: Mapping[str, str]) -> dict[Place, str]:
    """Put the variables' values in; returns which field was set by which variable."""
    variables: dict[Place, str] = {}
    for key, value in environ.items():
        if not key.startswith(ENV_PREFIX) or key == f"{ENV_PREFIX}CONFIG" or not value:
            continue
        *sections, last = key.removeprefix(ENV_PREFIX).lower().split("__")
        place = document
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"{key}: {section} is not a section")
            place = inner
        place[last] = _listed(key, value) if value[0] in "[{" else value
        variables[*sections, last] = key
    return variables


def _listed(key: str, value: str) -> Any:
    """A list or a section given in a variable; the error does not repeat the value, it may be a secret."""
    try:
        return yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"{key}: begins like a list or a section, but is not valid YAML") from None


def _first_problem(error: ValidationError, lines: Mapping[Place, str], variables: Mapping[Place, str]) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    place = problem["loc"]
    if problem["type"] == "within":
        place = (*place, *problem["ctx"]["at"])
    at = problem["ctx"]["at"] if problem["type"] == "fault" else place
    known = yaml_file.nearest({**lines, **variables}, at)
    where = variables.get(known) or lines.get(known, "")
    field = ".".join(str(step) for step in place)
    return ": ".join(filter(None, (where, field, problem["msg"].removeprefix("Value error, "))))


def _resolve(settings: Settings, base: Path) -> Settings:
    def at(path: Path | None) -> Path | None:
        return None if path is None else (base / path.expanduser()).resolve()

    prompts = settings.prompts.model_copy(
        update={"folder": at(settings.prompts.folder), "hold_music": at(settings.prompts.hold_music)}
    )
    routes = [route.model_copy(update={"flow": at(route.flow)}) for route in settings.routes]
    return settings.model_copy(
        update={"data_dir": at(settings.data_dir), "prompts": prompts, "routes": routes}
    )
