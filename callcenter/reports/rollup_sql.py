"""The statements that add up what reports show. The database adds; what counts as what, the fold has decided.

Each report statement reads the rows of the spans in ``$1`` and ``$2``, except those of calls that have
changed since, and whole days that were added up before (``$4``, their starts). ``$3`` is the only queue
wanted, or the present where it is about agents' time. ``$5`` are the borders of the report's windows;
``place`` is a window's index. All are run in one snapshot.
"""

# ruff: noqa: S608  # the statements are put together from words of this file alone

from collections.abc import Iterable, Mapping

from callcenter.reports.agent_time import KINDS, UNPAID

_TIMES = "offers, ring_us, talk_us, hold_us, acw_us"
_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in _TIMES.split(", "))
_ATTENDED = "(counted = 'attended')::integer"
_ROWS = """
      FROM unnest($1::timestamptz[], $2::timestamptz[]) AS span (since, until)
      JOIN callcenter.{table} AS one ON one.{at} >= span.since AND one.{at} < span.until
     WHERE NOT EXISTS (SELECT FROM callcenter.report_mark AS mark WHERE mark.call_id = one.call_id)"""


def _contact_rows(at: str) -> str:
    return _ROWS.format(table="report_contact", at=at)


def _queues(at: str) -> str:
    return f"""
WITH cell AS (
    SELECT start AS at, queue, attended, {_TIMES}, answered, abandoned, others
      FROM callcenter.rollup_queue
     WHERE start = ANY ($4::timestamptz[])
    UNION ALL
    SELECT {at}, queue, {_ATTENDED}, {_TIMES},
           CASE counted WHEN 'answered' THEN int8send(wait_us) END,
           CASE counted WHEN 'abandoned' THEN int8send(wait_us) END,
           CASE counted WHEN 'left' THEN int8send(wait_us) END{_contact_rows(at)}
       AND direction = 'inbound'
), placed AS (
    SELECT width_bucket(at, $5::timestamptz[]) - 1 AS place, * FROM cell WHERE $3::text IS NULL OR queue = $3
)
SELECT place, queue, sum(attended)::bigint AS attended, {_SUMS}, string_agg(answered, '') AS answered,
       string_agg(abandoned, '') AS abandoned, string_agg(others, '') AS others
  FROM placed
 GROUP BY GROUPING SETS ((place), (queue))
"""


def _left(at: str) -> str:
    return f"""
WITH cell AS (
    SELECT start AS at, queue, counted, reason, contacts
      FROM callcenter.rollup_left
     WHERE start = ANY ($4::timestamptz[])
    UNION ALL
    SELECT {at}, queue, counted, reason, 1{_contact_rows(at)}
       AND direction = 'inbound' AND counted IN ('left', 'refused')
), placed AS (
    SELECT width_bucket(at, $5::timestamptz[]) - 1 AS place, * FROM cell WHERE $3::text IS NULL OR queue = $3
)
SELECT place, queue, counted, reason, sum(contacts)::bigint AS contacts
  FROM placed
 GROUP BY GROUPING SETS ((place, counted, reason), (queue, counted, reason))
"""


def _agents(at: str) -> str:
    return f"""
WITH cell AS (
    SELECT agent, queue, attended, {_TIMES}, answered
      FROM callcenter.rollup_agent
     WHERE start = ANY ($4::timestamptz[]) AND ($3::text IS NULL OR queue = $3)
    UNION ALL
    SELECT agent, queue, {_ATTENDED}, {_TIMES},
           CASE counted WHEN 'answered' THEN int8send(wait_us) END{_contact_rows(at)}
       AND counted IN ('answered', 'attended') AND agent IS NOT NULL AND ($3::text IS NULL OR queue = $3)
)
SELECT agent, queue, sum(attended)::bigint AS attended, {_SUMS}, string_agg(answered, '') AS answered
  FROM cell
 GROUP BY agent, queue
"""


# By when contacts were offered, or by when they left the queue.
QUEUES: Mapping[str, str] = {"offered": _queues("entered_at"), "handled": _queues("left_at")}
LEFT: Mapping[str, str] = {"offered": _left("entered_at"), "handled": _left("left_at")}
AGENTS: Mapping[str, str] = {"offered": _agents("entered_at"), "handled": _agents("left_at")}

CALLS = f"""
WITH cell AS (
    SELECT start AS at, outcome, calls, bridged_calls, bridged_us, ivr_us, hung_up
      FROM callcenter.rollup_call
     WHERE start = ANY ($4::timestamptz[]) AND queue = coalesce($3::text, '')
    UNION ALL
    SELECT started_at, outcome, 1, (bridged_us IS NOT NULL)::integer, coalesce(bridged_us, 0), ivr_us,
           CASE outcome WHEN 'abandoned' THEN int8send(waited_us) END
           {_ROWS.format(table="report_call", at="started_at")}
       AND settled AND direction = 'inbound' AND ($3 IS NULL OR $3 = ANY (queues))
)
SELECT width_bucket(at, $5::timestamptz[]) - 1 AS place, outcome, sum(calls)::bigint AS calls,
       sum(bridged_calls)::bigint AS bridged_calls, sum(bridged_us)::bigint AS bridged_us,
       sum(ivr_us)::bigint AS ivr_us, string_agg(hung_up, '') AS hung_up
  FROM cell
 GROUP BY 1, 2
"""


def _spent(name: str, condition: str, states: Iterable[str]) -> str:
    listed = ", ".join(f"'{state}'" for state in sorted(states))
    return f"coalesce(sum(length_us) FILTER (WHERE state {condition} ({listed})), 0)::bigint AS {name}"


_SPENT = ", ".join(
    [*(_spent(name, "IN", states) for name, states in KINDS.items()), _spent("paid_us", "NOT IN", UNPAID)]
)

# Agents' time, from their changes of state; the last state lasts until $3, the present.
_SPANS = """
WITH RECURSIVE who AS (
    -- Everybody in the log, by jumps through the index from one name to the next.
    (SELECT agent FROM callcenter.event WHERE call_id IS NULL AND agent IS NOT NULL ORDER BY agent LIMIT 1)
    UNION ALL
    SELECT (SELECT event.agent FROM callcenter.event
             WHERE call_id IS NULL AND event.agent > who.agent ORDER BY event.agent LIMIT 1)
      FROM who WHERE who.agent IS NOT NULL
), change AS (
    -- What happens in each span, and the change before it, which tells in which state it begins.
    SELECT span.since, span.until, who.agent, found.at, found.event_id, found.state
      FROM unnest($1::timestamptz[], $2::timestamptz[]) AS span (since, until)
     CROSS JOIN who
     CROSS JOIN LATERAL (
           (SELECT at, event_id, data ->> 'to' AS state FROM callcenter.event
             WHERE call_id IS NULL AND event.agent = who.agent AND type = 'agent.state' AND at < span.since
             ORDER BY at DESC, event_id DESC LIMIT 1)
           UNION ALL
           SELECT at, event_id, data ->> 'to' FROM callcenter.event
            WHERE call_id IS NULL AND event.agent = who.agent AND type = 'agent.state'
              AND at >= span.since AND at < span.until) AS found
), spent AS (
    SELECT agent, state, greatest(at, since) AS start,
           least(lead(at) OVER (PARTITION BY since, agent ORDER BY at, event_id), until, $3::timestamptz)
               AS finish
      FROM change
), part AS (
    SELECT place - 1 AS place, agent, state,
           round(date_part('epoch', least(finish, ({borders}::timestamptz[])[place + 1])
                                    - greatest(start, ({borders}::timestamptz[])[place])) * 1000000)::bigint
               AS length_us
      FROM spent
     CROSS JOIN generate_series(width_bucket(start, {borders}::timestamptz[]),
                                width_bucket(finish - interval '1 microsecond', {borders}::timestamptz[]))
               AS place
     WHERE start < finish AND state IS NOT NULL
), cell AS (
    SELECT place, agent, {spent} FROM part GROUP BY place, agent
"""
_TIME_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in (*KINDS, "paid_us"))
TIME = f"""{_SPANS.format(borders="$5", spent=_SPENT)}
    UNION ALL
    SELECT width_bucket(start, $5::timestamptz[]) - 1, agent, {", ".join(KINDS)}, paid_us
      FROM callcenter.rollup_time
     WHERE start = ANY ($4::timestamptz[])
)
SELECT place, agent, {_TIME_SUMS} FROM cell GROUP BY GROUPING SETS ((place), (agent))
"""

# The days within [$1, $2) that are added up and up to date.
DAYS = """
WITH touched AS MATERIALIZED (
    SELECT contact.entered_at AS at
      FROM callcenter.report_mark JOIN callcenter.report_contact AS contact USING (call_id)
    UNION ALL
    SELECT call.started_at FROM callcenter.report_mark JOIN callcenter.report_call AS call USING (call_id)
)
SELECT start, until FROM callcenter.rollup_day AS day
 WHERE start >= $1 AND until <= $2
   AND NOT EXISTS (SELECT FROM touched WHERE touched.at >= day.start AND touched.at < day.until)
   AND NOT EXISTS (SELECT FROM callcenter.report_mark AS mark WHERE mark.at < day.until)
 ORDER BY start
"""

# Adding up the day from $1 to $2.
ADD_DAY = (
    "INSERT INTO callcenter.rollup_day (start, until) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING start"
)
ADD_CELLS = (
    f"""
INSERT INTO callcenter.rollup_queue (start, queue, attended, {_TIMES}, answered, abandoned, others)
SELECT $1, queue, sum({_ATTENDED}), {_SUMS},
       coalesce(string_agg(int8send(wait_us), '') FILTER (WHERE counted = 'answered'), ''),
       coalesce(string_agg(int8send(wait_us), '') FILTER (WHERE counted = 'abandoned'), ''),
       coalesce(string_agg(int8send(wait_us), '') FILTER (WHERE counted = 'left'), '')
  FROM callcenter.report_contact
 WHERE entered_at >= $1 AND entered_at < $2 AND direction = 'inbound'
 GROUP BY queue
""",
    """
INSERT INTO callcenter.rollup_left (start, queue, counted, reason, contacts)
SELECT $1, queue, counted, reason, count(*)
  FROM callcenter.report_contact
 WHERE entered_at >= $1 AND entered_at < $2 AND direction = 'inbound' AND counted IN ('left', 'refused')
 GROUP BY queue, counted, reason
""",
    f"""
INSERT INTO callcenter.rollup_agent (start, agent, queue, attended, {_TIMES}, answered)
SELECT $1, agent, queue, sum({_ATTENDED}), {_SUMS},
       coalesce(string_agg(int8send(wait_us), '') FILTER (WHERE counted = 'answered'), '')
  FROM callcenter.report_contact
 WHERE entered_at >= $1 AND entered_at < $2 AND counted IN ('answered', 'attended') AND agent IS NOT NULL
 GROUP BY agent, queue
""",
    """
INSERT INTO callcenter.rollup_call (start, queue, outcome, calls, bridged_calls, bridged_us, ivr_us, hung_up)
SELECT $1, queue, outcome, count(*), count(bridged_us), coalesce(sum(bridged_us), 0), sum(ivr_us),
       coalesce(string_agg(int8send(waited_us), '') FILTER (WHERE outcome = 'abandoned'), '')
  FROM callcenter.report_call
 CROSS JOIN unnest(queues || ''::text) AS queue
 WHERE started_at >= $1 AND started_at < $2 AND settled AND direction = 'inbound'
 GROUP BY queue, outcome
""",
)
ADD_TIME = f"""
INSERT INTO callcenter.rollup_time (start, agent, {", ".join(KINDS)}, paid_us)
{_SPANS.format(borders="$4", spent=_SPENT)}
)
SELECT ($1::timestamptz[])[1], agent, {", ".join(KINDS)}, paid_us FROM cell
"""
