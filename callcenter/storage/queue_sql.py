"""The statements of ``queue_line``."""
# ruff: noqa: S608  # what is put together here are constants of this file

# Where an agent goes who is freed; the wish made during the call comes first (``presence.step``).
_FREED = """
    state = coalesce(a.next_state, {state}),
    reason = CASE WHEN a.next_state IS NULL THEN {reason} ELSE a.next_reason END,
    state_since = clock_timestamp(), next_state = NULL, next_reason = '',
    call_id = NULL, offer_id = NULL, node_id = NULL
"""
_FREED_AVAILABLE = _FREED.format(state="'available'", reason="''")

# The pair of an offer that still stands, locked in the order entry, agent.
_CLAIM = """
claim AS MATERIALIZED (
    SELECT e.entry_id, a.agent_id
    FROM callcenter.queue_entry AS e
    JOIN callcenter.agent AS a ON a.agent_id = e.agent_id
    WHERE e.call_id = $1 AND e.offer_id = $2 AND a.offer_id = $2 AND a.state IN ('reserved', 'ringing')
    FOR UPDATE OF e, a
)
"""

_MAY_BE_OFFERED = """
    e.state = 'waiting'
    AND (e.refused_until[array_position(e.refused_by, a.agent_id)] > now()) IS NOT TRUE
"""
_MAY_BE_ASKED = "a.state = 'available' AND a.enabled AND a.rest_until <= now()"

_OFFER_JSON = """
json_build_object('offer_id', {o}.offer_id, 'call_id', {e}.call_id, 'node_id', {e}.node_id,
    'agent_id', a.agent_id, 'agent_name', a.name, 'gateway', a.gateway, 'address', a.address)::text
"""

LOCK_QUEUE = "SELECT pg_advisory_xact_lock(hashtextextended('callcenter.queue ' || $1, 0))"

# A statement of its own after the lock, so that it sees who entered before.
ENTER = """
WITH line AS (
    SELECT count(*) >= $5 AS is_full FROM callcenter.queue_entry WHERE queue = $3 AND call_id <> $1
),
staff AS (
    SELECT EXISTS (
        SELECT FROM callcenter.agent_queue AS q JOIN callcenter.agent AS a USING (agent_id)
        WHERE q.queue = $3 AND a.enabled AND a.state <> 'offline') AS is_there
),
-- The update changes nothing; it is there to return the row of a call that stands in line already.
entered AS (
    INSERT INTO callcenter.queue_entry (call_id, node_id, queue, priority, entered_at)
    SELECT $1, $2, $3, $4, least($7::timestamptz, clock_timestamp())
      FROM line, staff WHERE NOT is_full AND (is_there OR NOT $6)
    ON CONFLICT (call_id) DO UPDATE SET node_id = excluded.node_id
    RETURNING entered_at
),
woken AS (SELECT pg_notify('acd', '') FROM entered)
SELECT line.is_full, entered.entered_at, woken AS woken
FROM line LEFT JOIN entered ON true LEFT JOIN woken ON true
"""

REJOIN = """
WITH entered AS (
    INSERT INTO callcenter.queue_entry (call_id, node_id, queue, priority, entered_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (call_id) DO NOTHING RETURNING 1
)
SELECT pg_notify('acd', '') FROM entered
"""

POSITION = """
SELECT 1 + (
    SELECT count(*) FROM callcenter.queue_entry AS other
    WHERE other.queue = me.queue AND other.priority >= me.priority
      AND (other.priority > me.priority
           OR (other.entered_at, other.entry_id) < (me.entered_at, me.entry_id)))
FROM callcenter.queue_entry AS me WHERE me.call_id = $1
"""

MATCH = f"""
-- Who would be next, read without locks: the first callers of each queue that the longest idle agents
-- serve. More than one, because others may be claiming the first at this moment. Agents are sorted before
-- the callers are looked up, so that the look-up ends with the first agents who have any.
WITH candidate AS MATERIALIZED (
    SELECT a.agent_id, a.state_since, first.entry_id, first.priority, first.entered_at
    FROM (
        SELECT a.agent_id, a.state_since FROM callcenter.agent AS a
        WHERE {_MAY_BE_ASKED} AND EXISTS (SELECT FROM callcenter.queue_entry WHERE state = 'waiting')
        ORDER BY a.state_since, a.agent_id
        OFFSET 0
    ) AS a
    CROSS JOIN LATERAL (
        SELECT head.entry_id, head.priority, head.entered_at
        FROM callcenter.agent_queue AS q
        CROSS JOIN LATERAL (
            SELECT e.entry_id, e.priority, e.entered_at
            FROM callcenter.queue_entry AS e
            WHERE e.queue = q.queue AND {_MAY_BE_OFFERED}
            ORDER BY e.priority DESC, e.entered_at, e.entry_id
            LIMIT 4
        ) AS head
        WHERE q.agent_id = a.agent_id
        ORDER BY head.priority DESC, head.entered_at, head.entry_id
        LIMIT 4
    ) AS first
    ORDER BY a.state_since, a.agent_id
    FETCH FIRST 16 ROWS WITH TIES
),
-- The first of them that nobody else is claiming, as the rows are now.
pair AS MATERIALIZED (
    SELECT a.agent_id, e.entry_id, e.call_id, e.node_id, o.offer_id,
           {_OFFER_JSON.format(o="o", e="e")} AS offer
    FROM candidate AS c
    JOIN callcenter.agent AS a ON a.agent_id = c.agent_id
    JOIN callcenter.queue_entry AS e ON e.entry_id = c.entry_id
    CROSS JOIN (SELECT gen_random_uuid() AS offer_id) AS o
    WHERE {_MAY_BE_ASKED} AND a.state_since = c.state_since AND {_MAY_BE_OFFERED}
    ORDER BY c.state_since, c.agent_id, c.priority DESC, c.entered_at, c.entry_id
    LIMIT 1
    FOR UPDATE OF e, a SKIP LOCKED
),
reserved AS (
    UPDATE callcenter.agent AS a
    SET state = 'reserved', reason = '', state_since = clock_timestamp(),
        call_id = pair.call_id, offer_id = pair.offer_id, node_id = pair.node_id
    FROM pair WHERE a.agent_id = pair.agent_id
),
offered AS (
    UPDATE callcenter.queue_entry AS e
    SET state = 'offered', agent_id = pair.agent_id, offer_id = pair.offer_id
    FROM pair WHERE e.entry_id = pair.entry_id
)
-- No row: nobody to match. A row without an offer: others hold all the candidates.
SELECT pair.offer, CASE WHEN pair.offer IS NOT NULL THEN pg_notify('offer', pair.offer) END AS told
FROM (SELECT FROM candidate LIMIT 1) AS any_candidate LEFT JOIN pair ON true
"""

RING = """
WITH ringing AS (
    UPDATE callcenter.agent SET state = 'ringing', reason = '', state_since = clock_timestamp()
    WHERE agent_id = $3 AND call_id = $1 AND offer_id = $2 AND state = 'reserved'
    RETURNING 1
)
SELECT EXISTS (SELECT FROM ringing) OR EXISTS (
    SELECT FROM callcenter.agent
    WHERE agent_id = $3 AND call_id = $1 AND offer_id = $2 AND state = 'ringing')
"""

ACCEPT = f"""
WITH {_CLAIM},
served AS (DELETE FROM callcenter.queue_entry AS e USING claim WHERE e.entry_id = claim.entry_id),
connected AS (
    UPDATE callcenter.agent AS a SET state = 'talking', reason = '', state_since = clock_timestamp()
    FROM claim WHERE a.agent_id = claim.agent_id
    RETURNING 1
)
-- The second half is true when this is a repetition of one that had succeeded.
SELECT EXISTS (SELECT FROM connected) OR EXISTS (
    SELECT FROM callcenter.agent
    WHERE agent_id = $3 AND call_id = $1 AND offer_id = $2 AND state = 'talking')
"""

TAKE_BACK = f"""
WITH {_CLAIM},
-- Refusals that have run out are dropped, so that an agent is in the list once.
back AS (
    UPDATE callcenter.queue_entry AS e
    SET state = 'waiting', agent_id = NULL, offer_id = NULL,
        refused_by = ARRAY(
            SELECT r.who FROM unnest(e.refused_by, e.refused_until) WITH ORDINALITY AS r (who, until, n)
            WHERE r.until > now() AND r.who <> claim.agent_id ORDER BY r.n
        ) || claim.agent_id,
        refused_until = ARRAY(
            SELECT r.until FROM unnest(e.refused_by, e.refused_until) WITH ORDINALITY AS r (who, until, n)
            WHERE r.until > now() AND r.who <> claim.agent_id ORDER BY r.n
        ) || (now() + make_interval(secs => $6))
    FROM claim WHERE e.entry_id = claim.entry_id
),
freed AS (
    UPDATE callcenter.agent AS a
    SET {_FREED.format(state="$3", reason="$4")},
        rest_until = CASE WHEN $5 > 0 THEN now() + make_interval(secs => $5) ELSE a.rest_until END
    FROM claim WHERE a.agent_id = claim.agent_id
    RETURNING 1
),
-- The caller waits again, even when the agent does not.
woken AS (SELECT pg_notify('acd', '') AS told FROM freed)
SELECT count(told) FROM woken
"""

LEAVE = f"""
WITH gone AS (
    DELETE FROM callcenter.queue_entry WHERE call_id = $1 RETURNING agent_id, offer_id
),
claimed AS (
    SELECT agent_id, offer_id FROM gone UNION SELECT $2::text, $3::uuid
),
-- Read anew under the lock: the offer may be younger than this statement's snapshot, so nothing of the
-- agent but the key may be asked before.
held AS MATERIALIZED (
    SELECT a.agent_id, a.state, a.offer_id = claimed.offer_id AS is_ours
    FROM claimed JOIN callcenter.agent AS a ON a.agent_id = claimed.agent_id
    FOR UPDATE OF a
)
UPDATE callcenter.agent AS a SET {_FREED_AVAILABLE}
FROM held
WHERE a.agent_id = held.agent_id AND held.is_ours AND held.state IN ('reserved', 'ringing', 'talking')
"""

OFFERS = f"""
SELECT {_OFFER_JSON.format(o="e", e="e")} AS offer
FROM callcenter.queue_entry AS e
JOIN callcenter.agent AS a ON a.agent_id = e.agent_id AND a.offer_id = e.offer_id
WHERE e.node_id = $1 AND e.state = 'offered' AND a.state = 'reserved'
"""

CALLS = "SELECT call_id FROM callcenter.queue_entry WHERE node_id = $1"

STALE = """
SELECT agent_id, call_id, offer_id FROM callcenter.agent
WHERE state IN ('reserved', 'ringing') AND state_since < clock_timestamp() - make_interval(secs => $1)
"""

FREE_ALONE = f"""
WITH freed AS (
    UPDATE callcenter.agent AS a SET {_FREED_AVAILABLE}
    WHERE a.agent_id = $1 AND a.offer_id = $2 AND a.state IN ('reserved', 'ringing')
    RETURNING 1
)
SELECT count(*) FROM freed
"""

REQUEUE_ORPHANS = """
WITH requeued AS (
    UPDATE callcenter.queue_entry AS e SET state = 'waiting', agent_id = NULL, offer_id = NULL
    WHERE e.state = 'offered' AND NOT EXISTS (
        SELECT FROM callcenter.agent AS a WHERE a.agent_id = e.agent_id AND a.offer_id = e.offer_id)
    RETURNING 1
)
SELECT pg_notify('acd', '') FROM requeued
"""

DROP_CALLERS = "DELETE FROM callcenter.queue_entry WHERE node_id = $1 RETURNING 1"

# After DROP_CALLERS, in a statement of its own: by then every offer to a caller of the node is visible.
FREE_NODE = f"UPDATE callcenter.agent AS a SET {_FREED_AVAILABLE} WHERE a.node_id = $1"

ENTRIES = """
SELECT call_id, node_id, queue, priority, entered_at, state, agent_id,
       row_number() OVER (PARTITION BY queue ORDER BY priority DESC, entered_at, entry_id) AS position
FROM callcenter.queue_entry WHERE $1::text IS NULL OR queue = $1
ORDER BY queue, position
"""
