"""Legs that are expected: single-use, short-lived secrets that tie a leg to what it was meant for.

Only the SHA-256 of a token is stored. Whether a token is unknown, expired or used is logged and not told
to whoever presents it.
"""

import hashlib
import logging
from dataclasses import dataclass
from uuid import UUID

from callcenter.errors import LegRefusedError
from callcenter.storage.pool import Database

REFUSED = "the leg is not expected"

ANNOUNCE = """
INSERT INTO callcenter.leg_token
       (token_hash, kind, gateway, node_id, call_id, call_ref, from_number, to_number, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + make_interval(secs => $9))
ON CONFLICT DO NOTHING
"""
_COLUMNS = "kind, gateway, node_id, call_id, call_ref, from_number, to_number"
CONSUME = f"""
UPDATE callcenter.leg_token SET used_at = clock_timestamp()
 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > clock_timestamp()
   AND ($2::text IS NULL OR gateway = $2)
RETURNING {_COLUMNS}
"""  # noqa: S608  # constants only
FIND = f"SELECT {_COLUMNS} FROM callcenter.leg_token WHERE token_hash = $1"  # noqa: S608  # constants only
CONDITION = """
SELECT CASE WHEN used_at IS NOT NULL THEN 'used'
            WHEN expires_at <= clock_timestamp() THEN 'expired'
            ELSE 'of another gateway' END
  FROM callcenter.leg_token WHERE token_hash = $1
"""
PEEK = """
SELECT node_id FROM callcenter.leg_token
 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > clock_timestamp()
"""
PURGE = "DELETE FROM callcenter.leg_token WHERE expires_at < clock_timestamp() - make_interval(secs => $1)"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExpectedLeg:
    """What a leg was announced as.

    ``kind`` is ``caller``, ``agent`` or ``customer``. ``node_id`` is the process that waits for it, ``None``
    where any process may take it; ``call_id`` is the call that an agent or a customer is dialled for.
    """

    kind: str
    gateway: str
    node_id: UUID | None
    call_id: UUID | None
    call_ref: str
    from_number: str
    to_number: str


class LegTokens:
    """The legs expected by all processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(
        self,
        token: str,
        *,
        kind: str,
        gateway: str,
        ttl_s: float,
        node_id: UUID | None = None,
        call_id: UUID | None = None,
        call_ref: str = "",
        from_number: str = "",
        to_number: str = "",
    ) -> None:
        """Expect a leg whose token the gateway chose, for ``ttl_s`` seconds.

        Raises ``LegRefusedError`` for a token that was announced before, used or not.
        """
        tag = await self._database.execute(
            ANNOUNCE, _hash(token), kind, gateway, node_id, call_id, call_ref, from_number, to_number, ttl_s
        )
        if tag != "INSERT 0 1":
            raise LegRefusedError("the leg was announced before")

    async def consume(self, token: str, *, gateway: str | None = None) -> ExpectedLeg:
        """Let the leg in, once; ``gateway`` must be the one it was announced for, where given.

        Raises ``LegRefusedError`` for a token that is unknown, expired, used or of another gateway.
        """
        row = await self._database.fetchrow(CONSUME, _hash(token), gateway)
        if row is None:
            condition = await self._database.fetchval(CONDITION, _hash(token)) or "unknown"
            logger.info("a leg was refused: its token is %s", condition)
            raise LegRefusedError(REFUSED)
        return ExpectedLeg(**row)

    async def peek(self, token: str) -> UUID | None:
        """The process that waits for the leg, ``None`` where any may take it; the token stays valid.

        Raises ``LegRefusedError`` for a token that ``consume`` would refuse.
        """
        row = await self._database.fetchrow(PEEK, _hash(token))
        if row is None:
            raise LegRefusedError(REFUSED)
        node_id: UUID | None = row["node_id"]
        return node_id

    async def by_reference(self, reference: str) -> ExpectedLeg | None:
        """The leg whose token has this SHA-256, in hexadecimal, whatever became of it since."""
        try:
            token_hash = bytes.fromhex(reference)
        except ValueError:
            return None
        row = await self._database.fetchrow(FIND, token_hash)
        return None if row is None else ExpectedLeg(**row)

    async def purge(self, *, expired_for_s: float = 3600) -> int:
        """Delete tokens that expired so long ago; returns how many."""
        tag = await self._database.execute(PURGE, float(expired_for_s))
        return int(tag.rpartition(" ")[2])


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
