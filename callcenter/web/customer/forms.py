"""Forms: their one-time keys, and what they bring. Pure; chance and time are arguments.

A key is ``seconds ‖ nonce ‖ HMAC-SHA256 of purpose and both`` in URL-safe base64: it says what the form was
made for and when. Whoever sends the same key twice means the same thing.
"""

import base64
import binascii
import hmac
import re
import unicodedata
from datetime import datetime
from urllib.parse import parse_qsl

MAX_FORM_BYTES = 8 * 1024
MAX_FIELDS = 30
MAX_NAME_CHARS = 80
KEY_CHARS = 72
NONCE_BYTES = 16
GOOD_FOR_S = 24 * 3600
"""Longer than the 20 hours from which on nobody is hurried (WCAG 2.2, 2.2.1)."""

CLOCK_SLACK_S = 60
_TIME_BYTES = 6
# Of this century: near the ends of the calendar no other zone's clock can be shown.
_INSTANT = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]{2,15}(Z|[+-][0-9:]{2,8})")
_CONTEXT = b"callback form v1\0"
_BODY_BYTES = _TIME_BYTES + NONCE_BYTES


class BadFormError(Exception):
    """What was sent is no form of ours."""


class OldFormError(Exception):
    """The form was made too long ago."""


def form_key(purpose: str, secret: bytes, now: datetime, nonce: bytes) -> str:
    """A new key; ``nonce`` is ``NONCE_BYTES`` of chance."""
    body = int(now.timestamp()).to_bytes(_TIME_BYTES, "big") + nonce
    return base64.urlsafe_b64encode(body + _mac(purpose, body, secret)).decode()


def check_key(key: str, purpose: str, secret: bytes, now: datetime) -> None:
    """Raise ``BadFormError`` for a key that we did not make for this, ``OldFormError`` for one too old."""
    try:
        raw = base64.b64decode(key, altchars=b"-_", validate=True) if len(key) == KEY_CHARS else b""
    except (binascii.Error, ValueError):
        raw = b""
    body, mac = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
    if not hmac.compare_digest(mac, _mac(purpose, body, secret)):
        raise BadFormError
    age_s = now.timestamp() - int.from_bytes(body[:_TIME_BYTES], "big")
    if not -CLOCK_SLACK_S <= age_s <= GOOD_FOR_S:
        raise OldFormError


def fields(raw: bytes, content_type: str) -> dict[str, str]:
    """The fields of a form; raises ``BadFormError``. Of one that is given twice the last counts."""
    if content_type != "application/x-www-form-urlencoded" or len(raw) > MAX_FORM_BYTES:
        raise BadFormError
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise BadFormError from None
    return dict(pairs)


def plain(text: str) -> str:
    """One line as it may be stored: composed, without control characters and superfluous spaces."""
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(" " if _is_control(sign) else sign for sign in composed)
    return " ".join(kept.split())


def digits(text: str) -> str:
    """What of a code was meant: full-width digits are digits, and spaces do not count."""
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text))


def number_text(text: str) -> str:
    """A telephone number as it was typed, with full-width signs made plain ones."""
    return unicodedata.normalize("NFKC", text).replace("−", "-").replace("ー", "-").strip()


def instant(text: str) -> datetime | None:
    """A moment with its distance from UTC as ISO 8601 has it; ``None`` for anything else."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _is_control(sign: str) -> bool:
    # Also what turns the direction of writing round, and halves of characters.
    return unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _mac(purpose: str, body: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, _CONTEXT + purpose.encode() + b"\0" + body, "sha256")
