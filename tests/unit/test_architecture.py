"""Who may import whom. The directions are the design; this test keeps them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAVES = {"asr", "ivr", "callback"}
FLOOR = {
    "config",
    "queueing",
    "callback_settings",
    "section",
    "errors",
    "events",
    "timeline",
    "contact",
    "outcome",
    "",
}
"""Modules directly in ``callcenter`` that every package may use."""

MAY_IMPORT = {
    "media": set(),
    "telephony": {"media"},
    "storage": set(),
    "reports": {"storage", "callback"},
    "acd": {"storage"},
    "simulation": {"acd.policy"},
    "staffing": {"acd.policy", "simulation"},
    "callbacks": {"acd", "storage", "callback"},
    "call": {"acd", "storage", "telephony", "media", "callbacks", "asr", "ivr", "callback"},
    "web": {"acd", "storage", "reports", "callbacks", "callback"},
    "simulator": {"media", "telephony.twilio_signature"},
}
"""Composition (``app``, ``speech``, ``cli``, ``demo``, ``processes`` and the like) may import all."""

ONLY_IN = {
    "asyncpg": ["callcenter/storage/", "callback/store/"],
    "aiohttp": [
        "callcenter/telephony/",
        "callcenter/web/",
        "callcenter/simulator/",
        "callcenter/app.py",
        "callcenter/gateways.py",
        "callcenter/lookup.py",
        "callcenter/demo/",
    ],
    "faster_whisper": ["asr/whisper.py", "asr/silero.py"],
    "ctranslate2": ["asr/whisper.py"],
    "webrtcvad": ["asr/vad.py"],
    "espeakng_loader": ["callcenter/media/espeak.py"],
    "prometheus_client": ["callcenter/web/metrics.py"],
    "jinja2": ["callcenter/web/"],
    "jiwer": ["asr/scoring.py", "callcenter/demo/wer.py"],
    "av": ["asr/sound.py", "callcenter/media/", "callcenter/simulator/"],
    "pyarrow": ["callcenter/reports/parquet.py"],
    "phonenumbers": ["callback/numbers.py"],
    "rapidfuzz": ["ivr/phrases.py", "ivr/faq.py"],
    "ray": ["asr/cluster.py"],
    "statsmodels": ["callcenter/staffing/trend.py"],
    "matplotlib": ["callcenter/staffing/plot.py"],
}

PURE = [
    "callcenter/events.py",
    "callcenter/queueing.py",
    "callcenter/callback_settings.py",
    "callback/dialogue.py",
    "callback/errors.py",
    "callback/hours.py",
    "callback/known.py",
    "callback/links.py",
    "callback/numbers.py",
    "callback/outcome.py",
    "callback/options.py",
    "callback/policy.py",
    "callback/refusal.py",
    "callback/rules.py",
    "callback/slots.py",
    "callcenter/callbacks/models.py",
    "callback/request.py",
    "callback/search.py",
    "callback/state.py",
    "callback/wording.py",
    "callcenter/timeline.py",
    "callcenter/contact.py",
    "callcenter/outcome.py",
    "callcenter/call/earshot.py",
    "callcenter/call/state.py",
    "callcenter/call/transfer.py",
    "callcenter/telephony/twilio_codec.py",
    "callcenter/telephony/twilio_signature.py",
    "callcenter/telephony/audiosocket_codec.py",
    "callcenter/media/frame.py",
    "callcenter/media/g711.py",
    "callcenter/media/playout.py",
    "callcenter/media/clock.py",
    "callcenter/media/loudness.py",
    "callcenter/media/mixer.py",
    "callcenter/acd/policy.py",
    "callcenter/acd/presence.py",
    "callcenter/reports/conversations.py",
    "callcenter/acd/wait_time.py",
    "callcenter/acd/wait_words.py",
    "callcenter/simulation/draw.py",
    "callcenter/simulation/engine.py",
    "callcenter/simulation/lines.py",
    "callcenter/simulation/model.py",
    "callcenter/simulation/result.py",
    "callcenter/staffing/erlang.py",
    "callcenter/staffing/forecast.py",
    "callcenter/staffing/plan.py",
    "callcenter/staffing/what_if.py",
    "callcenter/reports/callback_sql.py",
    "callcenter/reports/callbacks.py",
    "callcenter/reports/definitions.py",
    "callcenter/reports/fcr.py",
    "callcenter/reports/intervals.py",
    "callcenter/reports/quality.py",
    "callcenter/reports/survey.py",
    "callcenter/reports/talk.py",
    "callcenter/reports/projection.py",
    "callcenter/reports/ratio.py",
    "callcenter/reports/sections.py",
    "callcenter/reports/summary.py",
    "callcenter/reports/tally.py",
    "callcenter/reports/waits.py",
    "callcenter/reports/agent_time.py",
    "asr/commit.py",
    "asr/endpoint.py",
    "asr/formats.py",
    "asr/framing.py",
    "asr/guards.py",
    "asr/ladder.py",
    "asr/languages.py",
    "asr/locking.py",
    "asr/placing.py",
    "asr/schedule.py",
    "asr/scoring.py",
    "ivr/consent.py",
    "ivr/dip.py",
    "ivr/engine.py",
    "ivr/exchange.py",
    "ivr/answering.py",
    "ivr/asking.py",
    "ivr/digits.py",
    "ivr/engine.py",
    "ivr/faq.py",
    "ivr/flow.py",
    "ivr/hearing.py",
    "ivr/hours.py",
    "ivr/lookup.py",
    "ivr/survey.py",
    "ivr/outbox.py",
    "ivr/phrases.py",
    "ivr/walk.py",
]
IMPURE = {"asyncio", "socket", "time", "aiohttp", "asyncpg", "threading"}


def modules() -> Iterator[Path]:
    for package in ("callcenter", *LEAVES):
        yield from sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_is_something_to_check() -> None:
    assert len(list(modules())) > 50


@pytest.mark.parametrize("path", list(modules()), ids=name_of)
def test_leaves_import_neither_us_nor_each_other(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    if package in LEAVES:
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & ({"callcenter", *LEAVES} - {package})


@pytest.mark.parametrize("path", list(modules()), ids=name_of)
def test_imports_point_down(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    if parts[0] != "callcenter" or parts[1] not in MAY_IMPORT:
        return
    allowed = MAY_IMPORT[parts[1]]
    for name in imports(path):
        root, *inner = name.split(".")
        if root in LEAVES:
            assert root in allowed, f"{name_of(path)} imports {name}"
        elif root == "callcenter" and inner and inner[0] not in FLOOR and inner[0] != parts[1]:
            whole = ".".join(inner)
            assert any(whole.startswith(one) for one in allowed), f"{name_of(path)} imports {name}"


@pytest.mark.parametrize(("library", "places"), ONLY_IN.items(), ids=ONLY_IN)
def test_a_library_is_known_in_few_places(library: str, places: list[str]) -> None:
    users = [name_of(path) for path in modules() if library in {name.split(".")[0] for name in imports(path)}]
    assert users or library in {"ctranslate2"}
    assert [user for user in users if not any(user.startswith(place) for place in places)] == []


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_do_nothing(name: str) -> None:
    assert {one.split(".")[0] for one in imports(ROOT / name)} & IMPURE == set()


def test_the_pure_core_never_reads_a_clock() -> None:
    for name in PURE:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "datetime.now(" not in text, name
        assert "monotonic(" not in text, name
