import os
import subprocess
import sys
from uuid import UUID, uuid4

from callcenter.storage.listener import Listener
from callcenter.storage.nodes import Nodes
from callcenter.storage.pool import Database

NODE = (
    "INSERT INTO callcenter.node (node_id, url, host, pid, seen_at) VALUES ($1, '', $2, $3, $4::timestamptz)"
)
URL = "http://127.0.0.1:8080"


async def add(database: Database, *, host: str, pid: int, silent_s: float) -> UUID:
    node_id = uuid4()
    seen_at = await database.fetchval("SELECT now() - make_interval(secs => $1)", silent_s)
    await database.execute(NODE, node_id, host, pid, seen_at)
    return node_id


def gone_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


async def test_a_process_that_holds_its_lock_lives(database: Database) -> None:
    ours, theirs = uuid4(), uuid4()
    async with Listener(database) as one, Listener(database) as two:
        async with Nodes(database, one, ours).registered(URL):
            nodes = Nodes(database, two, theirs)
            await database.execute(
                "UPDATE callcenter.node SET seen_at = now() - interval '1 hour', pid = $1", gone_pid()
            )
            assert await nodes.dead() == []
            row = await database.fetchrow("SELECT * FROM callcenter.node")
            assert row is not None
            assert (row["node_id"], row["url"]) == (ours, URL)
        assert await database.fetchval("SELECT count(*) FROM callcenter.node") == 0


async def test_who_is_dead(database: Database) -> None:
    host = os.uname().nodename
    async with Listener(database) as listener:
        nodes = Nodes(database, listener, uuid4())
        gone = await add(database, host=host, pid=gone_pid(), silent_s=0)
        await add(database, host=host, pid=os.getpid(), silent_s=5)
        await add(database, host="elsewhere", pid=gone_pid(), silent_s=5)
        assert await nodes.dead() == [gone]
        await nodes.forget(gone)
        assert await nodes.dead() == []


async def test_silence_counts_only_since_the_server_is_up(database: Database) -> None:
    async with Listener(database) as listener:
        nodes = Nodes(database, listener, uuid4())
        silent = await add(database, host="elsewhere", pid=1, silent_s=3600)
        up_s = await database.fetchval(
            "SELECT extract(epoch FROM now() - pg_postmaster_start_time())::float8"
        )
        assert await nodes.dead() == ([silent] if up_s > 20 else [])


async def test_calls_of_an_unknown_process_are_orphans(database: Database) -> None:
    lost, ours = uuid4(), uuid4()
    call = (
        "INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number,"
        " to_number, started_at) VALUES ($1, $1, $2, 'inbound', 'asterisk', '', '+15550100', '', now())"
    )
    await database.execute(call, uuid4(), lost)
    await database.execute(call, uuid4(), ours)
    async with Listener(database) as listener:
        assert await Nodes(database, listener, ours).dead() == [lost]
