import re

import pytest

from callcenter.errors import NotFoundError, UsageError
from callcenter.storage.pool import Database
from callcenter.storage.users import TokenOwner, Users


async def test_a_token_names_its_user(database: Database) -> None:
    users = Users(database)
    await users.add("ann", role="agent", agent_id="ann")
    token = await users.issue_token("ann", days=1)
    assert re.fullmatch(r"cc_[A-Za-z0-9_-]{43}", token)
    assert await users.of_token(token) == TokenOwner("ann", "agent", "ann")
    assert await users.of_token(token + "x") is None
    assert await users.of_token("\udcff\x00") is None
    stored = await database.fetchval("SELECT json_agg(t)::text FROM callcenter.api_token t")
    assert token not in stored
    assert [(user.user_name, user.tokens) for user in await users.all()] == [("ann", 1)]


async def test_expired_and_revoked_tokens_name_nobody(database: Database) -> None:
    users = Users(database)
    await users.add("sue", role="supervisor")
    token, other = await users.issue_token("sue"), await users.issue_token("sue", days=2)
    await database.execute("UPDATE callcenter.api_token SET expires_at = now() WHERE expires_at IS NOT NULL")
    assert await users.of_token(other) is None
    assert await users.revoke(token)
    assert not await users.revoke(token)
    assert await users.of_token(token) is None


async def test_with_the_user_go_the_tokens(database: Database) -> None:
    users = Users(database)
    await users.add("sue", role="admin")
    token = await users.issue_token("sue")
    assert await users.revoke_all("sue") == 1
    token = await users.issue_token("sue")
    await users.remove("sue")
    assert await users.of_token(token) is None
    with pytest.raises(NotFoundError):
        await users.remove("sue")


async def test_bad_input_is_refused(database: Database) -> None:
    users = Users(database)
    await users.add("ann", role="agent")
    with pytest.raises(UsageError, match="already a user ann"):
        await users.add("ann", role="agent")
    for name in ("", "two words", "a\x00b", "x" * 64, "-x"):
        with pytest.raises(UsageError, match="no user name"):
            await users.add(name, role="agent")
    with pytest.raises(UsageError, match="no role"):
        await users.add("bob", role="king")
    with pytest.raises(NotFoundError, match="no user bob"):
        await users.issue_token("bob")
