import asyncio
import hashlib
import logging
from typing import Any
from uuid import uuid4

import pytest

from callcenter.errors import LegRefusedError
from callcenter.storage.leg_tokens import ExpectedLeg, LegTokens
from callcenter.storage.pool import Database
from callcenter.telephony.shell import new_token


async def announced(tokens: LegTokens, **leg: Any) -> str:
    token = new_token()
    await tokens.announce(token, **leg)
    return token


async def test_a_token_lets_one_leg_in(database: Database) -> None:
    tokens, node_id, call_id = LegTokens(database), uuid4(), uuid4()
    token = await announced(
        tokens, kind="agent", gateway="twilio", ttl_s=60, node_id=node_id, call_id=call_id,
        call_ref="CA1", from_number="+15550100", to_number="+15550101",
    )  # fmt: skip
    assert await tokens.peek(token) == node_id
    expected = ExpectedLeg("agent", "twilio", node_id, call_id, "CA1", "+15550100", "+15550101")
    assert await tokens.consume(token, gateway="twilio") == expected
    with pytest.raises(LegRefusedError):
        await tokens.consume(token, gateway="twilio")
    with pytest.raises(LegRefusedError):
        await tokens.peek(token)
    assert await tokens.by_reference(hashlib.sha256(token.encode()).hexdigest()) == expected


async def test_of_many_at_once_one_gets_in(database: Database) -> None:
    tokens = LegTokens(database)
    token = await announced(tokens, kind="caller", gateway="twilio", ttl_s=60)
    results = await asyncio.gather(*(tokens.consume(token) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, ExpectedLeg) for result in results) == 1


async def test_all_refusals_sound_the_same_and_are_told_apart_in_the_log(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = LegTokens(database)
    used = await announced(tokens, kind="caller", gateway="twilio", ttl_s=60)
    await tokens.consume(used)
    late = await announced(tokens, kind="caller", gateway="twilio", ttl_s=0)
    other = await announced(tokens, kind="caller", gateway="asterisk", ttl_s=60)
    messages = set()
    with caplog.at_level(logging.INFO):
        for token in (used, late, other, "no such token", "", "\udcff\x00"):
            with pytest.raises(LegRefusedError) as caught:
                await tokens.consume(token, gateway="twilio")
            messages.add(str(caught.value))
    assert len(messages) == 1
    assert [record.getMessage().rsplit(" is ")[1] for record in caplog.records] == [
        "used", "expired", "of another gateway", "unknown", "unknown", "unknown",
    ]  # fmt: skip
    assert (await tokens.consume(other, gateway="asterisk")).gateway == "asterisk"


async def test_a_gateways_own_token_is_announced_once(database: Database) -> None:
    tokens, uuid = LegTokens(database), str(uuid4())
    await tokens.announce(uuid, kind="caller", gateway="asterisk", ttl_s=60, from_number="+15550100")
    with pytest.raises(LegRefusedError, match="before"):
        await tokens.announce(uuid, kind="caller", gateway="asterisk", ttl_s=60)
    assert await tokens.peek(uuid) is None
    assert (await tokens.consume(uuid)).from_number == "+15550100"
    with pytest.raises(LegRefusedError, match="before"):
        await tokens.announce(uuid, kind="caller", gateway="asterisk", ttl_s=60)


async def test_the_token_itself_is_nowhere_and_old_rows_go(database: Database) -> None:
    tokens = LegTokens(database)
    token = await announced(tokens, kind="caller", gateway="twilio", ttl_s=-10)
    await announced(tokens, kind="caller", gateway="twilio", ttl_s=60)
    assert token not in str(await database.fetchval("SELECT json_agg(t)::text FROM callcenter.leg_token t"))
    assert await tokens.purge() == 0
    assert await tokens.purge(expired_for_s=5) == 1
    assert await database.fetchval("SELECT count(*) FROM callcenter.leg_token") == 1


@pytest.mark.parametrize("reference", ["", "xyz", "00" * 32])
async def test_a_reference_of_nothing(database: Database, reference: str) -> None:
    assert await LegTokens(database).by_reference(reference) is None
