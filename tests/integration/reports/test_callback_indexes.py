"""Every part of the report of callbacks finds a day by indexes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from callcenter.reports import callback_sql as sql
from callcenter.storage.pool import Database

START = datetime(2025, 3, 3, tzinfo=UTC)

# A caller every five minutes, every fifth of whom leaves for a callback.
CALLS = """
INSERT INTO callcenter.call (call_id, chain_id, node_id, direction, gateway, call_ref, from_number, to_number,
                             queue, topic, queued_at, started_at, ended_at, outcome)
SELECT id, id, id, 'inbound', 'test', n::text, '+1202555' || lpad((n % 9000)::text, 4, '0'), '+12025550199',
       'sales', 'sales', at, at, at + interval '2 min',
       CASE n % 5 WHEN 0 THEN 'callback_requested' ELSE 'abandoned' END
  FROM (SELECT n, md5(n::text)::uuid AS id, $1::timestamptz + n * interval '5 min' AS at
          FROM generate_series(1, 5000) AS n) AS one
"""
EVENTS = """
INSERT INTO callcenter.event (at, type, call_id, seq, chain_id, queue, data)
SELECT started_at, type, call_id, seq, call_id, 'sales', jsonb_build_object('callback', call_id)
  FROM callcenter.call
 CROSS JOIN unnest(ARRAY['call.started', 'queue.entered', 'callback.offered', 'callback.accepted',
                         'call.ended']) WITH ORDINALITY AS kind (type, seq)
 WHERE outcome = 'callback_requested'
"""
CALLBACKS = """
INSERT INTO callback.callback
       (callback_id, queue, number, source, mode, state, requested_at, arrived_at, not_before, expires_at,
        promised_from, promised_until, zone, chain_id, call_id, attempts_max, ended_at)
SELECT call_id, 'sales', from_number, 'ivr', 'agent_first', 'merged', at, at, at, at, at, at, 'UTC', call_id,
       call_id, 3, at
  FROM (SELECT call_id, from_number, started_at AS at
          FROM callcenter.call WHERE outcome = 'callback_requested') AS one
"""
TRIES = """
WITH tried AS (
    INSERT INTO callback.attempt (attempt_id, callback_id, number_of, fence, worker, gateway, call_id,
                                  ring_timeout_s, started_at, ended_at, result)
    SELECT gen_random_uuid(), callback_id, n, 1, callback_id, 'test', callback_id, 20, requested_at,
           requested_at, 'busy'
      FROM callback.callback, generate_series(1, 3) AS n
    RETURNING attempt_id, callback_id
), told AS (
    INSERT INTO callback.gateway_event (attempt_id, event_id, status)
    SELECT attempt_id, 'CA:1', 'busy' FROM tried
)
INSERT INTO callback.event (callback_id, step, before, after, by)
SELECT callback_id, unnest(ARRAY['queue', 'fall_due', 'claim', 'dial', 'merge']), '', '', 'clock' FROM tried
"""


async def test_a_day_is_found_by_indexes(database: Database) -> None:
    since, until = START + timedelta(days=9), START + timedelta(days=10)
    cut = (since, until, [since], None)
    chained = (since, until, None, timedelta(days=7), [""])
    statements: dict[str, tuple[Any, ...]] = {
        **dict.fromkeys((sql.OFFERS, sql.ASKED, sql.ATTEMPTS), cut),
        sql.CHAINS: chained,
        sql.CHAIN_LIST: (*chained, True, 100),
    }
    async with database.transaction() as connection:
        await connection.execute(CALLS, START)
        for statement in (EVENTS, CALLBACKS, TRIES):
            await connection.execute(statement)
        await connection.execute("ANALYZE")
        # Small tables are rather read as a whole, where that can be chosen.
        await connection.execute("SET LOCAL enable_seqscan = off")
        for statement, values in statements.items():
            plan = [row[0] for row in await connection.fetch(f"EXPLAIN {statement}", *values)]
            assert not [line for line in plan if "Seq Scan" in line], "\n".join(plan)
