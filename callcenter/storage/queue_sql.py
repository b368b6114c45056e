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
    SELECT e.entry_id, e.offered_to, a.agent_id
    FROM callcenter.queue_entry AS e
    JOIN callcenter.agent AS a ON a.agent_id = $3 AND a.agent_id = ANY (e.offered_to)
    WHERE e.call_id = $1 AND e.offer_id = $2 AND a.offer_id = $2 AND a.state IN ('reserved', 'ringing')
    FOR UPDATE OF e, a
)
"""

MAY_BE_ASKED = "a.state = 'available' AND a.enabled AND a.rest_until <= now()"

_OFFER_JSON = """
json_build_object('offer_id', {o}.offer_id, 'call_id', {e}.call_id, 'node_id', {e}.node_id,
    'callback_id', {e}.callback_id, 'agent_id', a.agent_id, 'agent_name', a.name,
    'gateway', a.gateway, 'address', a.address)::text
"""

LOCK_QUEUE = "SELECT pg_advisory_xact_lock(hashtextextended('callcenter.queue ' || $1, 0))"

# Who left this place may have it once.
TAKE_LEFT_PLACE = """
DELETE FROM callcenter.left_place
WHERE number = $1 AND queue = $2 AND left_at > clock_timestamp() - make_interval(secs => $3)
RETURNING entered_at
"""

# A statement of its own after the lock, so that it sees who entered before. Who waits elsewhere for a
# callback takes up no room.
ENTER = """
WITH line AS (
    SELECT count(*) >= $5 AS is_full FROM callcenter.queue_entry
    WHERE queue = $3 AND call_id <> $1 AND NOT consult AND callback_id IS NULL
),
staff AS (
    SELECT EXISTS (
        SELECT FROM callcenter.agent_queue AS q JOIN callcenter.agent AS a USING (agent_id)
        WHERE q.queue = $3 AND a.enabled AND a.state <> 'offline') AS is_there
),
-- Nobody is held for an agent who is not at work.
hold AS (
    SELECT clock_timestamp() + make_interval(secs => $10) AS until
    FROM callcenter.agent AS a
    WHERE a.agent_id = $9 AND $10 > 0 AND a.enabled AND a.state <> 'offline'
),
-- The update changes nothing; it is there to return the row of a call that stands in line already.
entered AS (
    INSERT INTO callcenter.queue_entry
           (call_id, node_id, queue, priority, entered_at, needs, preferred_agent, held_until, consult)
    SELECT $1, $2, $3, $4, least($7::timestamptz, clock_timestamp()), $8, $9, (SELECT until FROM hold), $11
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
    INSERT INTO callcenter.queue_entry (call_id, node_id, queue, priority, entered_at, needs)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (call_id) DO NOTHING RETURNING 1
)
SELECT pg_notify('acd', '') FROM entered
"""

# By -priority, as the index has it. Callers on the telephone and those who keep a place stand in one line.
_POSITION = """
SELECT 1 + (
    SELECT count(*) FROM callcenter.queue_entry AS other
    WHERE other.queue = me.queue AND -other.priority <= -me.priority
      AND (other.priority > me.priority
           OR (other.entered_at, other.entry_id) < (me.entered_at, me.entry_id)))
"""
POSITION = f"{_POSITION} FROM callcenter.queue_entry AS me WHERE me.call_id = $1"
PLACE_OF = f"{_POSITION} FROM callcenter.queue_entry AS me WHERE me.callback_id = $1"

# For a callback, in the transaction that stores it. Who is being offered waits for no lock to learn it: the
# row that is read after the wait says so.
LEAVE_FOR_CALLBACK = f"""
WITH me AS (
    DELETE FROM callcenter.queue_entry WHERE call_id = $1 AND state = 'waiting' AND callback_id IS NULL
    RETURNING entry_id, queue, priority, entered_at
)
{_POSITION} AS position, me.entered_at FROM me
"""

# In the transaction in which the callback whose place it was ends.
TAKE_PLACE = """
WITH moved AS (
    UPDATE callcenter.queue_entry
    SET entered_at = least(entered_at, $2), priority = greatest(priority, $3) WHERE call_id = $1 RETURNING 1
)
SELECT pg_notify('acd', '') FROM moved
"""

LEAVE_PLACE = """
INSERT INTO callcenter.left_place (number, queue, entered_at) VALUES ($1, $2, $3)
ON CONFLICT (number, queue) DO UPDATE SET entered_at = excluded.entered_at, left_at = excluded.left_at
"""
FORGET_PLACES = "DELETE FROM callcenter.left_place WHERE left_at < now() - interval '1 hour'"
STAFFED = """
SELECT EXISTS (
    SELECT FROM callcenter.agent_queue AS q JOIN callcenter.agent AS a USING (agent_id)
    WHERE q.queue = $1 AND a.enabled AND a.state <> 'offline')
"""

# What follows is one round of matching; the rule itself is ``callcenter.acd.policy``.

# The first callers of a class come out of the index in their order; the planner, which cannot know how many
# there are, would rather read and sort them all.
TRY_LOCK = """
SELECT pg_try_advisory_xact_lock(hashtextextended('callcenter.match', 0)),
       set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true)
"""

IDLE_AGENTS = f"""
-- The queues with callers, by a loose index scan: one look-up for each, however long the lines are. In the
-- order of the index of those who are ready, so that it steps over no places that are only kept.
WITH RECURSIVE name AS (
    (SELECT queue FROM callcenter.queue_entry WHERE ready ORDER BY queue, -priority, needs LIMIT 1)
    UNION ALL
    SELECT (SELECT e.queue FROM callcenter.queue_entry AS e
            WHERE e.ready AND e.queue > name.queue ORDER BY e.queue, -e.priority, e.needs LIMIT 1)
    FROM name WHERE name.queue IS NOT NULL
)
SELECT a.agent_id, a.state_since, a.skills, a.calls, a.offered_at, clock_timestamp() AS now,
       ARRAY(SELECT q.queue FROM callcenter.agent_queue AS q
             WHERE q.agent_id = a.agent_id AND q.queue IN (SELECT queue FROM name)) AS queues
FROM callcenter.agent AS a
WHERE {MAY_BE_ASKED} AND EXISTS (
    SELECT FROM callcenter.agent_queue AS q
    WHERE q.agent_id = a.agent_id AND q.queue IN (SELECT queue FROM name))
"""

_CALLER = """
e.entry_id, e.queue, e.priority, e.entered_at, e.needs, e.preferred_agent, e.held_until,
e.refused_by, e.refused_until
"""

# $1: the queues that free agents serve, $2: how many callers of each class, $3: the free agents.
FIRST_CALLERS = f"""
WITH RECURSIVE class AS (
    SELECT head.* FROM unnest($1::text[]) AS served (queue)
    CROSS JOIN LATERAL (
        SELECT e.queue, -e.priority AS rank, e.needs FROM callcenter.queue_entry AS e
        WHERE e.ready AND e.queue = served.queue ORDER BY -e.priority, e.needs LIMIT 1) AS head
    UNION ALL
    SELECT following.* FROM class
    CROSS JOIN LATERAL (
        SELECT e.queue, -e.priority AS rank, e.needs FROM callcenter.queue_entry AS e
        WHERE e.ready AND e.queue = class.queue AND (-e.priority, e.needs) > (class.rank, class.needs)
        ORDER BY -e.priority, e.needs LIMIT 1) AS following
)
SELECT first.* FROM class
CROSS JOIN LATERAL (
    SELECT {_CALLER} FROM callcenter.queue_entry AS e
    WHERE e.ready AND e.queue = class.queue AND -e.priority = class.rank AND e.needs = class.needs
      AND e.state = 'waiting' AND (e.held_until > now()) IS NOT TRUE
    ORDER BY e.entered_at, e.entry_id LIMIT $2) AS first
UNION ALL
SELECT {_CALLER} FROM callcenter.queue_entry AS e
WHERE e.preferred_agent = ANY ($3::text[]) AND e.held_until > now()
  AND e.queue = ANY ($1) AND e.state = 'waiting' AND e.ready
"""

CLAIM_PAIRS = f"""
-- What is decided: $1 entries, $2 agents, $3 offers. Who has changed since, or is being changed, is left out.
WITH pair AS MATERIALIZED (
    SELECT wanted.place, wanted.offer_id, e.entry_id, e.call_id, e.node_id, a.agent_id,
           {_OFFER_JSON.format(o="wanted", e="e")} AS offer
    FROM unnest($1::bigint[], $2::text[], $3::uuid[])
         WITH ORDINALITY AS wanted (entry_id, agent_id, offer_id, place)
    JOIN callcenter.queue_entry AS e ON e.entry_id = wanted.entry_id
    JOIN callcenter.agent AS a ON a.agent_id = wanted.agent_id
    WHERE e.state = 'waiting' AND e.ready AND {MAY_BE_ASKED}
    FOR UPDATE OF e, a SKIP LOCKED
),
reserved AS (
    UPDATE callcenter.agent AS a
    SET state = 'reserved', reason = '', state_since = clock_timestamp(), offered_at = clock_timestamp(),
        call_id = pair.call_id, offer_id = pair.offer_id, node_id = pair.node_id
    FROM pair WHERE a.agent_id = pair.agent_id
),
offered AS (
    UPDATE callcenter.queue_entry AS e
    SET state = 'offered', offered_to = given.agents, offer_id = given.offer_id
    FROM (SELECT entry_id, offer_id, array_agg(agent_id ORDER BY place) AS agents
          FROM pair GROUP BY entry_id, offer_id) AS given
    WHERE e.entry_id = given.entry_id
)
SELECT offer, pg_notify('offer', offer) AS told FROM pair ORDER BY place
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
    UPDATE callcenter.agent AS a
    SET state = 'talking', reason = '', state_since = clock_timestamp(), calls = a.calls + 1
    FROM claim WHERE a.agent_id = claim.agent_id
    RETURNING 1
),
-- Those whose telephones rang as well.
others AS MATERIALIZED (
    SELECT a.agent_id FROM claim JOIN callcenter.agent AS a ON a.agent_id = ANY (claim.offered_to)
    WHERE a.agent_id <> claim.agent_id AND a.offer_id = $2 AND a.state IN ('reserved', 'ringing')
    ORDER BY a.agent_id FOR UPDATE OF a
),
spared AS (
    UPDATE callcenter.agent AS a SET {_FREED_AVAILABLE} FROM others WHERE a.agent_id = others.agent_id
)
-- The second half is true when this is a repetition of one that had succeeded.
SELECT EXISTS (SELECT FROM connected) OR EXISTS (
    SELECT FROM callcenter.agent
    WHERE agent_id = $3 AND call_id = $1 AND offer_id = $2 AND state = 'talking')
"""

TAKE_BACK = f"""
WITH {_CLAIM},
-- While other telephones ring the offer stands. Refusals that have run out are dropped, so that an agent is
-- in the list once.
back AS (
    UPDATE callcenter.queue_entry AS e
    SET state = CASE WHEN cardinality(e.offered_to) > 1 THEN 'offered' ELSE 'waiting' END,
        offer_id = CASE WHEN cardinality(e.offered_to) > 1 THEN e.offer_id END,
        offered_to = array_remove(e.offered_to, claim.agent_id),
        refused_by = ARRAY(
            SELECT r.who FROM unnest(e.refused_by, e.refused_until) WITH ORDINALITY AS r (who, until, n)
            WHERE r.until > now() AND r.who <> claim.agent_id ORDER BY r.n
        ) || claim.agent_id,
        refused_until = ARRAY(
            SELECT r.until FROM unnest(e.refused_by, e.refused_until) WITH ORDINALITY AS r (who, until, n)
            WHERE r.until > now() AND r.who <> claim.agent_id ORDER BY r.n
        ) || (now() + make_interval(secs => $7)),
        held_until = CASE WHEN e.preferred_agent = claim.agent_id THEN NULL ELSE e.held_until END
    FROM claim WHERE e.entry_id = claim.entry_id
),
freed AS (
    UPDATE callcenter.agent AS a
    SET {_FREED.format(state="$4", reason="$5")},
        rest_until = CASE WHEN $6 > 0 THEN now() + make_interval(secs => $6) ELSE a.rest_until END
    FROM claim WHERE a.agent_id = claim.agent_id
    RETURNING 1
),
-- The caller waits again, even when the agent does not.
woken AS (SELECT pg_notify('acd', '') AS told FROM freed)
SELECT count(told) FROM woken
"""

# The turn of a callback: the entry and its agents become those of a process and its call. Again after an
# outage: the same.
TAKE_TURN = f"""
WITH turn AS MATERIALIZED (
    SELECT entry_id, offer_id, offered_to FROM callcenter.queue_entry
    WHERE callback_id = $1 AND state = 'offered' AND (node_id IS NULL OR (node_id = $3 AND call_id = $2))
    FOR UPDATE
),
held AS MATERIALIZED (
    SELECT a.agent_id, a.name, a.gateway, a.address
    FROM turn JOIN callcenter.agent AS a ON a.agent_id = ANY (turn.offered_to) AND a.offer_id = turn.offer_id
    WHERE a.state = 'reserved' ORDER BY a.agent_id FOR UPDATE OF a
),
reserved AS (
    UPDATE callcenter.agent AS a SET call_id = $2, node_id = $3 FROM held WHERE a.agent_id = held.agent_id
),
taken AS (
    UPDATE callcenter.queue_entry AS e SET call_id = $2, node_id = $3, ready = false
    FROM turn WHERE e.entry_id = turn.entry_id
    RETURNING e.call_id, e.node_id, e.callback_id, e.offer_id, e.offered_to, e.entered_at
)
SELECT taken.entered_at, {_OFFER_JSON.format(o="taken", e="taken")} AS offer
FROM taken JOIN held AS a ON true ORDER BY array_position(taken.offered_to, a.agent_id)
"""

# A caller's entry goes; a callback's stays for as long as the callback's state says. Read under the lock.
LEAVE = f"""
WITH line AS MATERIALIZED (
    SELECT entry_id, callback_id, offered_to, offer_id FROM callcenter.queue_entry
    WHERE call_id = $1 FOR UPDATE
),
gone AS (
    DELETE FROM callcenter.queue_entry AS e USING line
    WHERE e.entry_id = line.entry_id AND line.callback_id IS NULL
),
given_back AS (
    UPDATE callcenter.queue_entry AS e
    SET state = 'waiting', offered_to = '{{}}', offer_id = NULL, node_id = NULL, call_id = gen_random_uuid()
    FROM line WHERE e.entry_id = line.entry_id AND line.callback_id IS NOT NULL
),
claimed AS (
    SELECT unnest(offered_to) AS agent_id, offer_id FROM line
    UNION SELECT * FROM unnest($2::text[], $3::uuid[])
),
-- Read anew under the lock: the offer may be younger than this statement's snapshot, so nothing of the
-- agent but the key may be asked before.
held AS MATERIALIZED (
    SELECT a.agent_id, a.state, a.offer_id = claimed.offer_id AS is_ours
    FROM claimed JOIN callcenter.agent AS a ON a.agent_id = claimed.agent_id
    ORDER BY a.agent_id FOR UPDATE OF a
)
UPDATE callcenter.agent AS a SET {_FREED_AVAILABLE}
FROM held
WHERE a.agent_id = held.agent_id AND held.is_ours AND held.state IN ('reserved', 'ringing', 'talking')
"""

OFFERS = f"""
SELECT {_OFFER_JSON.format(o="e", e="e")} AS offer
FROM callcenter.queue_entry AS e
JOIN callcenter.agent AS a ON a.agent_id = ANY (e.offered_to) AND a.offer_id = e.offer_id
WHERE e.node_id = $1 AND e.state = 'offered' AND a.state = 'reserved'
ORDER BY e.entry_id, array_position(e.offered_to, a.agent_id)
"""

# Turns that nobody has taken yet.
TURNS = f"""
SELECT {_OFFER_JSON.format(o="e", e="e")} AS offer
FROM callcenter.agent AS a
JOIN callcenter.queue_entry AS e ON e.call_id = a.call_id AND e.offer_id = a.offer_id
WHERE a.state = 'reserved' AND a.node_id IS NULL AND e.node_id IS NULL AND e.ready
ORDER BY e.entry_id, array_position(e.offered_to, a.agent_id)
"""

CALLS = "SELECT call_id FROM callcenter.queue_entry WHERE node_id = $1"

STALE = """
SELECT agent_id, call_id, offer_id FROM callcenter.agent
WHERE state IN ('reserved', 'ringing') AND state_since < clock_timestamp() - make_interval(secs => $1)
  AND node_id IS NOT NULL
"""

# Reserved for a turn that nobody takes, or that is no longer one.
UNTAKEN = """
SELECT a.agent_id, a.call_id, a.offer_id, e.entry_id IS NOT NULL AS is_turn
FROM callcenter.agent AS a
LEFT JOIN callcenter.queue_entry AS e
    ON e.call_id = a.call_id AND e.offer_id = a.offer_id AND e.callback_id IS NOT NULL
WHERE a.state = 'reserved' AND a.node_id IS NULL
  AND a.state_since < clock_timestamp() - make_interval(secs => $1)
"""
# While nobody takes turns, those behind pass; $2 is an agent who was kept for this one.
LET_OTHERS_BY = """
UPDATE callcenter.queue_entry
SET held_until = greatest(held_until, clock_timestamp() + make_interval(secs => $3))
WHERE call_id = $1 AND callback_id IS NOT NULL AND node_id IS NULL AND state = 'waiting'
  AND $2 = ANY (refused_by)
"""
# And callers on the telephone before all other callbacks: nobody may be there who takes any turn.
LET_CALLERS_BY = """
UPDATE callcenter.queue_entry
SET held_until = greatest(held_until, clock_timestamp() + make_interval(secs => $1))
WHERE callback_id IS NOT NULL AND node_id IS NULL AND state = 'waiting' AND ready
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
    UPDATE callcenter.queue_entry AS e SET state = 'waiting', offered_to = '{}', offer_id = NULL
    WHERE e.state = 'offered' AND NOT EXISTS (
        SELECT FROM callcenter.agent AS a
        WHERE a.agent_id = ANY (e.offered_to) AND a.offer_id = e.offer_id)
    RETURNING 1
)
SELECT pg_notify('acd', '') FROM requeued
"""

DROP_CALLERS = "DELETE FROM callcenter.queue_entry WHERE node_id = $1 AND callback_id IS NULL RETURNING 1"
# What the dead process carried stands where it stood, to be passed over until its lease has run out.
DROP_TURNS = """
UPDATE callcenter.queue_entry
SET state = 'waiting', offered_to = '{}', offer_id = NULL, node_id = NULL, call_id = gen_random_uuid()
WHERE node_id = $1 AND callback_id IS NOT NULL
"""

# After DROP_CALLERS, in a statement of its own: by then every offer to a caller of the node is visible.
FREE_NODE = f"UPDATE callcenter.agent AS a SET {_FREED_AVAILABLE} WHERE a.node_id = $1"

ENTRIES = """
SELECT call_id, node_id, callback_id, queue, priority, entered_at, state, offered_to, preferred_agent,
       row_number() OVER (PARTITION BY queue ORDER BY priority DESC, entered_at, entry_id) AS position
FROM callcenter.queue_entry WHERE NOT consult AND ($1::text IS NULL OR queue = $1)
ORDER BY queue, position
"""
