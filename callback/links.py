"""Signed links and codes for customers. Pure: key, time and chance are arguments.

A token is good for one callback, one purpose and a limited time, whatever else changes about the callback.
It is ``purpose ‖ callback ‖ expiry ‖ nonce ‖ HMAC-SHA256`` in URL-safe base64.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

KEY_BYTES = 32
NONCE_BYTES = 9
LENGTH = 84
"""Characters of every token."""

_TEXT = re.compile(f"[A-Za-z0-9_-]{{{LENGTH}}}")

CODE_DIGITS = 6

_EXPIRY_BYTES = 5
_MAC_BYTES = hashlib.sha256().digest_size
_CONTEXT = b"callback link v1"


class Purpose(StrEnum):
    """What a link may be used for; a token for one is worthless for the others."""

    MANAGE = "manage"  # see, move, cancel
    AGAIN = "again"  # book again what has ended


_MARKS = {Purpose.MANAGE: b"m", Purpose.AGAIN: b"a"}


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says. ``nonce`` tells two tokens of the same kind apart."""

    callback_id: UUID
    purpose: Purpose
    expires_at: datetime
    nonce: bytes


def sign(token: Token, key: bytes) -> str:
    """The text of a token; it stays good until ``expires_at``, in whole seconds."""
    expiry = int(token.expires_at.timestamp()).to_bytes(_EXPIRY_BYTES, "big")
    body = _MARKS[token.purpose] + token.callback_id.bytes + expiry + token.nonce
    if len(token.nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    return base64.urlsafe_b64encode(body + _mac(body, key)).decode()


def read(text: str, purpose: Purpose, key: bytes, now: datetime) -> Token | None:
    """What a token says; ``None`` for one that is not ours, is for something else, or is too old.

    Takes the same time whatever of the signature is right.
    """
    if not _TEXT.fullmatch(text):
        return None
    raw = base64.urlsafe_b64decode(text)
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(body, key)) or body[:1] != _MARKS[purpose]:
        return None
    expires_at = datetime.fromtimestamp(int.from_bytes(body[17:22], "big"), UTC)
    if now >= expires_at:
        return None
    return Token(UUID(bytes=body[1:17]), purpose, expires_at, body[22:])


def code_of(number_below_a_million: int) -> str:
    """Six digits out of a number drawn at random."""
    return f"{number_below_a_million:0{CODE_DIGITS}d}"


def code_hash(code: str, context: str, key: bytes) -> bytes:
    """What is kept of a code: worthless without the key, and for another ``context``, such as a number."""
    return hmac.digest(key, b"callback code v1\0" + context.encode() + b"\0" + code.encode(), "sha256")


def _mac(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _CONTEXT + body, "sha256")
