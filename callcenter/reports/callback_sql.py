"""The statements that count callbacks; what each figure means stands in ``callbacks``.

Each takes the range ($1, $2), where its intervals begin ($3) and a queue or null ($4), and groups by the
whole, by interval, by queue and by the way a callback came. The name of an interval is its index.
"""

# ruff: noqa: S608  # the statements are put together from words of our own

from callback.request import Result
from callback.state import ENDED, names
from callcenter.reports.callbacks import PUNCTUALITY, WAITS

_GROUPED = "GROUP BY GROUPING SETS ((), (place), (queue), (source))"
_KIND = "grouping(place, queue, source) AS kind, place, queue, source"

_OFFERS = ", ".join(
    f"count(DISTINCT (call_id, queue)) FILTER (WHERE type = 'callback.{name}') AS {name}"
    for name in ("offered", "accepted", "declined")
)
OFFERS = f"""
WITH placed AS (
    SELECT call_id, type, queue, 'ivr'::text AS source, width_bucket(at, $3::timestamptz[]) - 1 AS place
      FROM callcenter.event
     WHERE type IN ('callback.offered', 'callback.accepted', 'callback.declined')
       AND at >= $1 AND at < $2 AND ($4::text IS NULL OR queue = $4)
)
SELECT {_KIND}, {_OFFERS} FROM placed {_GROUPED}
"""


def _bucket(above: float | None, up_to: float | None) -> str:
    if above == up_to:
        return "off_s = 0"
    if up_to is None:
        return f"off_s > {above}"
    if above is None:
        return f"off_s < {up_to}"
    return f"off_s >= {above} AND off_s < {up_to}" if above < 0 else f"off_s > {above} AND off_s <= {up_to}"


def _counted(condition: str, name: str) -> str:
    return f"count(*) FILTER (WHERE {condition}) AS {name}"


_ENDS = ", ".join(_counted(f"state = '{name}'", f"ended_{name}") for name in names(ENDED))
_PUNCTUALITY = ", ".join(_counted(_bucket(*edges), f"was_{name}") for name, edges in PUNCTUALITY.items())

ASKED = f"""
WITH asked AS (
    SELECT callback_id, queue, source, state, requested_at, promised_from, promised_until, ended_at,
           width_bucket(requested_at, $3::timestamptz[]) - 1 AS place,
           source = 'ivr' AND call_id IS NOT NULL AND slot_start IS NULL AS left_queue
      FROM callback.callback
     WHERE requested_at >= $1 AND requested_at < $2 AND ($4::text IS NULL OR queue = $4)
), tried AS (
    SELECT callback_id, min(started_at) AS first_at, min(answered_at) AS picked_up_at,
           min(bridged_at) AS bridged_at,
           -- Who put it off was promised another window.
           coalesce(min(bridged_at), min(answered_at) FILTER (WHERE result IS DISTINCT FROM 'postponed'))
               AS reached_at
      FROM asked JOIN callback.attempt USING (callback_id)
     GROUP BY callback_id
), one AS (
    SELECT asked.*, first_at, picked_up_at, bridged_at,
           CASE WHEN reached_at < promised_from THEN extract(epoch FROM reached_at - promised_from)
                WHEN reached_at > promised_until THEN extract(epoch FROM reached_at - promised_until)
                WHEN reached_at IS NOT NULL THEN 0 END AS off_s
      FROM asked LEFT JOIN tried USING (callback_id)
)
SELECT {_KIND}, count(*) AS asked, count(first_at) AS dialled, count(picked_up_at) AS picked_up,
       count(bridged_at) AS bridged, {_counted("ended_at IS NULL", "ended_open")}, {_ENDS}, {_PUNCTUALITY},
       {_counted("left_queue AND first_at IS NOT NULL", "saved")},
       coalesce(sum(extract(epoch FROM first_at - requested_at)) FILTER (WHERE left_queue), 0)::float8
           AS saved_s
  FROM one {_GROUPED}
"""

_RESULTS = ", ".join(_counted(f"result = '{result.value}'", f"result_{result.value}") for result in Result)


def _waited(from_s: float, below_s: float | None) -> str:
    if below_s is None:
        return f"waited_s > {from_s}"
    return f"waited_s >= {from_s} AND waited_s {'<=' if below_s == 60 else '<'} {below_s}"


_WAITS = ", ".join(_counted(_waited(*edges), f"waited_{name}") for name, edges in WAITS.items())

ATTEMPTS = f"""
WITH tried AS (
    SELECT attempt_id, queue, source, width_bucket(requested_at, $3::timestamptz[]) - 1 AS place,
           result, counted,
           CASE WHEN bridged_at IS NOT NULL THEN extract(epoch FROM bridged_at - answered_at)
                WHEN result IN ('abandoned', 'agent_gone')
                THEN extract(epoch FROM attempt.ended_at - answered_at) END AS waited_s,
           -- Begun while another one was open, or when there was nothing to be done any more.
           coalesce(started_at < max(coalesce(attempt.ended_at, 'infinity')) OVER (
               PARTITION BY callback_id ORDER BY number_of ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ), false) OR coalesce(started_at > callback.ended_at, false) AS is_duplicate
      FROM callback.callback JOIN callback.attempt USING (callback_id)
     WHERE requested_at >= $1 AND requested_at < $2 AND ($4::text IS NULL OR queue = $4)
), told AS (
    -- The network's name of the call stands before the colon.
    SELECT attempt_id, count(DISTINCT split_part(event_id, ':', 1)) - 1 AS more
      FROM tried JOIN callback.gateway_event USING (attempt_id)
     WHERE event_id LIKE '%:%'
     GROUP BY attempt_id
)
SELECT {_KIND}, count(*) AS attempts, {_counted("counted", "counted")},
       {_counted("result IS NULL", "result_open")}, {_RESULTS}, {_WAITS},
       coalesce(sum(waited_s), 0)::float8 AS waited_s,
       ({_counted("is_duplicate", "x").removesuffix(" AS x")} + coalesce(sum(more), 0))::bigint AS duplicates
  FROM tried LEFT JOIN told USING (attempt_id) {_GROUPED}
"""

# Calls that left for a callback in [$1, $2), of queue $3 or all; $4 is how long afterwards a call of the same
# customer about the same topic counts, $5 are numbers that say nothing of who called.
CHAIN = """
WITH left_for AS (
    SELECT call_id, topic AS queue, queued_at, ended_at, from_number
      FROM callcenter.call
     WHERE direction = 'inbound' AND queued_at >= $1 AND queued_at < $2
       AND outcome = 'callback_requested' AND ($3::text IS NULL OR topic = $3)
), asked AS (
    -- Who asks again gets the callback that is open; what the call took is in its log.
    SELECT one.*, callback.callback_id, callback.state, callback.ended_at AS over_at, attempts.*,
           coalesce(nullif(callback.number, ''), one.from_number) AS number
      FROM left_for AS one
      LEFT JOIN LATERAL (
           SELECT callback_id FROM (
               SELECT seq, (data ->> 'callback')::uuid AS callback_id FROM callcenter.event
                WHERE event.call_id = one.call_id AND type = 'callback.accepted'
                UNION ALL -- who phones in again may leave the callback as it is
               SELECT 0, kept.callback_id FROM callback.callback AS kept
                WHERE kept.number = one.from_number AND kept.queue = one.queue
                  AND kept.requested_at < one.queued_at
                  AND (kept.ended_at IS NULL OR kept.ended_at > one.queued_at)
           ) AS known ORDER BY seq DESC LIMIT 1
      ) AS taken ON true
      LEFT JOIN callback.callback ON callback.callback_id = taken.callback_id
      LEFT JOIN LATERAL (
           SELECT count(*)::integer AS tried, min(bridged_at) AS bridged_at,
                  (array_agg(attempt.call_id ORDER BY bridged_at) FILTER (WHERE bridged_at IS NOT NULL))[1]
                      AS bridged_call
             FROM callback.attempt WHERE attempt.callback_id = taken.callback_id
      ) AS attempts ON true
), chain AS (
    SELECT asked.call_id, callback_id, asked.queue, asked.queued_at, state, tried,
           CASE WHEN asked.bridged_at IS NOT NULL THEN 'callback'
                WHEN merged.connected_at IS NOT NULL THEN 'merged'
                WHEN later.connected_at IS NOT NULL THEN 'later_call'
                WHEN again.bridged_at IS NOT NULL THEN 'later_callback'
                WHEN callback_id IS NOT NULL AND over_at IS NULL THEN 'open'
                ELSE 'not_served' END AS how,
           coalesce(asked.bridged_at, merged.connected_at, later.connected_at, again.bridged_at) AS served_at,
           coalesce(bridged_call, merged.call_id, later.call_id, again.call_id) AS served_call
      FROM asked
      LEFT JOIN LATERAL (
           SELECT call.call_id, call.connected_at
             FROM callback.event
             JOIN callcenter.call ON call.call_id = (event.data ->> 'call')::uuid
            WHERE event.callback_id = asked.callback_id AND step = 'merge' AND call.connected_at IS NOT NULL
              AND asked.state = 'merged' AND asked.bridged_at IS NULL
            LIMIT 1
      ) AS merged ON true
      LEFT JOIN LATERAL (
           SELECT call.call_id, call.connected_at
             FROM callcenter.call
            WHERE direction = 'inbound' AND call.from_number IN (asked.number, asked.from_number)
              AND call.topic = asked.queue AND call.queued_at > asked.queued_at
              AND call.queued_at <= asked.queued_at + $4::interval AND call.connected_at IS NOT NULL
              AND lower(call.from_number) <> ALL ($5::text[])
              AND asked.bridged_at IS NULL AND merged.call_id IS NULL
            ORDER BY call.connected_at LIMIT 1
      ) AS later ON true
      LEFT JOIN LATERAL (
           SELECT attempt.call_id, attempt.bridged_at
             FROM callback.callback AS other JOIN callback.attempt USING (callback_id)
            WHERE other.number = asked.number AND other.queue = asked.queue
              AND other.requested_at > asked.queued_at
              AND other.requested_at <= asked.queued_at + $4::interval
              AND attempt.bridged_at IS NOT NULL AND other.number <> ''
              AND asked.bridged_at IS NULL AND merged.call_id IS NULL AND later.call_id IS NULL
            ORDER BY attempt.bridged_at LIMIT 1
      ) AS again ON true
)
"""
HOWS = ("callback", "merged", "later_call", "later_callback", "open", "not_served")
_HOWS = ", ".join(_counted(f"how = '{how}'", how) for how in HOWS)
_AFTER = "extract(epoch FROM served_at - queued_at)::float8"
CHAINS = f"""{CHAIN}
SELECT grouping(queue) AS kind, queue, {_HOWS}, coalesce(sum({_AFTER}), 0)::float8 AS served_s,
       percentile_disc(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY {_AFTER}) AS after
  FROM chain GROUP BY GROUPING SETS ((), (queue))
"""
CHAIN_LIST = f"""{CHAIN}
SELECT chain.call_id, callback_id, chain.queue, chain.queued_at AS entered_at, state, how, served_at,
       tried AS attempts, served_call, agent_id AS agent,
       {_AFTER.replace("queued_at", "chain.queued_at")} AS after_s
  FROM (SELECT * FROM chain WHERE $6 OR how = 'not_served' ORDER BY queued_at DESC, call_id LIMIT $7) AS chain
  LEFT JOIN callcenter.call ON call.call_id = served_call
 ORDER BY chain.queued_at DESC, chain.call_id
"""
