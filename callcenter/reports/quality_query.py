"""Reading the quality of service: each of its three sources in one statement that counts in the database.

A statement groups by the whole, by queue, by interval and by agent at once; an interval is the index of its
beginning among those given.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from callcenter.config import Metrics, Settings
from callcenter.errors import NotFoundError
from callcenter.reports.fcr import WITHHELD, Resolution
from callcenter.reports.intervals import Interval, Window, parse_interval, reporting_zone, windows
from callcenter.reports.quality import Part, Place, Quality, QualityReport, Scope, put_together
from callcenter.reports.survey import Satisfaction
from callcenter.reports.talk import Side, Talk
from callcenter.reports.talk_store import REST_S, TalkStore
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database

# $1, $2: the range; $3: where its intervals begin; $4: queue, $5: agent, or null; $6: the window; $7: what
# stands for no number. The contact before and the one after decide, so those around the range are read too.
RESOLUTION = """
WITH line AS (
    SELECT queued_at, topic, agent_id, agent_resolved, customer_resolved,
           lower(from_number) = ANY ($7::text[]) AS withheld,
           connected_at IS NOT NULL AS handled,
           max(queued_at) FILTER (WHERE connected_at IS NOT NULL) OVER earlier AS handled_before,
           lead(queued_at) OVER earlier AS next_at
      FROM callcenter.call
     WHERE direction = 'inbound' AND queued_at >= $1::timestamptz - $6::interval
       AND queued_at < $2::timestamptz + $6::interval AND ($4::text IS NULL OR topic = $4)
    WINDOW earlier AS (PARTITION BY from_number, topic ORDER BY queued_at
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), handled AS (
    SELECT topic AS queue, agent_id AS agent, width_bucket(queued_at, $3::timestamptz[]) - 1 AS place,
           agent_resolved, customer_resolved, withheld,
           NOT withheld AND coalesce(handled_before < queued_at - $6::interval, true) AS is_first,
           coalesce(next_at > queued_at + $6::interval, true) AS is_resolved,
           queued_at + $6::interval <= now() AS is_mature
      FROM line
     WHERE handled AND queued_at >= $1 AND queued_at < $2 AND ($5::text IS NULL OR agent_id = $5)
)
SELECT grouping(place, queue, agent) AS kind, place, queue, agent,
       count(*) FILTER (WHERE withheld) AS withheld,
       count(*) FILTER (WHERE is_first AND is_mature) AS first,
       count(*) FILTER (WHERE is_first AND is_mature AND is_resolved) AS resolved,
       count(*) FILTER (WHERE is_first AND NOT is_mature) AS immature,
       count(*) FILTER (WHERE is_first AND NOT is_mature AND is_resolved) AS immature_resolved,
       count(*) FILTER (WHERE is_first AND agent_resolved IS NOT NULL) AS agent_asked,
       count(*) FILTER (WHERE is_first AND agent_resolved) AS agent_resolved,
       count(*) FILTER (WHERE is_first AND customer_resolved IS NOT NULL) AS customer_asked,
       count(*) FILTER (WHERE is_first AND customer_resolved) AS customer_resolved
  FROM handled
 GROUP BY GROUPING SETS ((), (place), (queue), (agent))
"""
# An answer belongs to the last offer of its survey before it in the call; it may come after the range.
SATISFACTION = """
WITH told AS (
    SELECT call_id, seq, at, type, queue, agent, data, data ->> 'survey' AS survey,
           count(*) FILTER (WHERE type = 'survey.offered')
               OVER (PARTITION BY call_id, data ->> 'survey' ORDER BY seq) AS number
      FROM callcenter.event
     WHERE type IN ('survey.offered', 'survey.answered')
       AND at >= $1::timestamptz AND at < $2::timestamptz + interval '1 day'
), answer AS (
    SELECT DISTINCT ON (call_id, survey, number, data ->> 'question')
           call_id, survey, number, data ->> 'kind' AS kind,
           CASE WHEN jsonb_typeof(data -> 'score') = 'number' THEN (data ->> 'score')::numeric END AS score
      FROM told WHERE type = 'survey.answered'
     ORDER BY call_id, survey, number, data ->> 'question', seq DESC
), answers AS (
    SELECT call_id, survey, number,
           count(*) FILTER (WHERE kind = 'csat' AND score BETWEEN 1 AND 5) AS csat,
           count(*) FILTER (WHERE kind = 'csat' AND score BETWEEN 4 AND 5) AS satisfied,
           count(*) FILTER (WHERE kind = 'nps' AND score BETWEEN 0 AND 10) AS nps,
           count(*) FILTER (WHERE kind = 'nps' AND score BETWEEN 9 AND 10) AS promoters,
           count(*) FILTER (WHERE kind = 'nps' AND score BETWEEN 0 AND 6) AS detractors,
           count(*) FILTER (WHERE coalesce(kind, '') NOT IN ('csat', 'nps')) AS others,
           bool_or(kind = 'csat') AS asks_csat, bool_or(kind = 'nps') AS asks_nps
      FROM answer GROUP BY 1, 2, 3
), asked AS (
    -- where the offer does not say what its survey asks for, those who answered it show
    SELECT survey, bool_or(asks_csat) AS csat, bool_or(asks_nps) AS nps FROM answers GROUP BY survey
), offer AS (
    SELECT offer.queue, offer.agent, survey, width_bucket(offer.at, $3::timestamptz[]) - 1 AS place,
           coalesce(answers.csat + answers.nps + others > 0, false) AS is_answered,
           coalesce(data -> 'kinds' ? 'csat', asked.csat, false) AS asks_csat,
           coalesce(data -> 'kinds' ? 'nps', asked.nps, false) AS asks_nps,
           answers.csat, satisfied, answers.nps, promoters, detractors
      FROM told AS offer LEFT JOIN answers USING (call_id, survey, number) LEFT JOIN asked USING (survey)
     WHERE offer.type = 'survey.offered' AND offer.at < $2
       AND ($4::text IS NULL OR offer.queue = $4) AND ($5::text IS NULL OR offer.agent = $5)
)
SELECT grouping(place, queue, agent, survey) AS kind, place, queue, agent, survey,
       count(*) AS offered, count(*) FILTER (WHERE is_answered) AS answered,
       count(*) FILTER (WHERE asks_csat) AS csat_offered, count(*) FILTER (WHERE csat > 0) AS csat_answered,
       coalesce(sum(csat), 0)::bigint AS csat, coalesce(sum(satisfied), 0)::bigint AS satisfied,
       count(*) FILTER (WHERE asks_nps) AS nps_offered, count(*) FILTER (WHERE nps > 0) AS nps_answered,
       coalesce(sum(nps), 0)::bigint AS nps, coalesce(sum(promoters), 0)::bigint AS promoters,
       coalesce(sum(detractors), 0)::bigint AS detractors
  FROM offer
 GROUP BY GROUPING SETS ((), (place), (queue), (agent), (survey))
"""
_SIDE = tuple(each.name for each in fields(Side))
_SUMMED = (
    *("time_ms", "non_talk_ms"),
    *(f"{party}_{name}" for party in ("agent", "customer") for name in _SIDE),
)
TALK = f"""
WITH measured AS (
    SELECT talk.*, agent_id AS agent, width_bucket(at, $3::timestamptz[]) - 1 AS place
      FROM callcenter.talk
     WHERE at >= $1 AND at < $2 AND ($4::text IS NULL OR queue = $4) AND ($5::text IS NULL OR agent_id = $5)
)
SELECT grouping(place, queue, agent) AS kind, place, queue, agent, count(*) AS conversations,
       coalesce(max(longest_non_talk_ms), 0) AS longest_non_talk_ms,
       {", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in _SUMMED)}
  FROM measured
 GROUP BY GROUPING SETS ((), (place), (queue), (agent))
"""  # noqa: S608  # the names are those of our own columns
KNOWN = """
SELECT EXISTS (SELECT FROM callcenter.call WHERE queue = $1 OR topic = $1)
"""


class QualityReports:
    """What is read of the quality of service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(
        self,
        metrics: Metrics,
        *,
        since: datetime,
        until: datetime,
        interval: Interval = Interval.DAY,
        queue: str | None = None,
        agent: str | None = None,
    ) -> QualityReport:
        """Read [since, until); raises ``StorageError``, and ``UsageError`` for too many intervals."""
        zone = reporting_zone(metrics.timezone)
        cut = windows(since, until, interval, zone)
        parts = await self._parts(metrics, cut, since, until, queue, agent)
        rows = put_together(parts, cut)
        return QualityReport(
            since=since,
            until=until,
            zone=zone,
            interval=interval,
            queue=queue,
            agent=agent,
            thresholds=metrics,
            total=rows[Scope.TOTAL][""],
            by_queue=dict(sorted(rows[Scope.QUEUE].items())),
            by_interval=[(window, rows[Scope.INTERVAL][str(index)]) for index, window in enumerate(cut)],
            by_agent=dict(sorted(rows[Scope.AGENT].items())),
            by_survey=dict(sorted(rows[Scope.SURVEY].items())),
        )

    async def _parts(
        self,
        metrics: Metrics,
        cut: Sequence[Window],
        since: datetime,
        until: datetime,
        queue: str | None,
        agent: str | None,
    ) -> list[Part]:
        values = since, until, [window.start for window in cut], queue, agent
        window = timedelta(days=metrics.fcr_days)
        resolution = await self._database.fetch(RESOLUTION, *values, window, list(WITHHELD))
        surveys = await self._database.fetch(SATISFACTION, *values)
        talk = await self._database.fetch(TALK, *values)
        return [
            *((place, Quality(resolution=_counts(Resolution, row))) for place, row in _placed(resolution)),
            *((place, Quality(satisfaction=_counts(Satisfaction, row))) for place, row in _placed(surveys)),
            *((place, Quality(talk=_talk(row))) for place, row in _placed(talk)),
        ]


async def read_quality(
    settings: Settings,
    *,
    since: datetime,
    until: datetime,
    queue: str | None = None,
    agent: str | None = None,
    interval: str = "day",
) -> QualityReport:
    """Open the database, measure what talk is due, and report [since, until).

    Raises ``NotFoundError`` for a queue that has neither settings nor a past, ``UsageError`` for an interval
    that does not exist, ``StorageError``.
    """
    length = parse_interval(interval)
    async with Database.open(settings, application_name="callcenter report") as database:
        await Migrations(database).upgrade()
        named = {each.name for each in settings.queues}
        if queue is not None and queue not in named and not await database.fetchval(KNOWN, queue):
            raise NotFoundError(f"no such queue: {queue}")
        while await TalkStore(database).measure_due(ahead_s=REST_S):
            pass
        return await QualityReports(database).report(
            settings.metrics, since=since, until=until, interval=length, queue=queue, agent=agent
        )


_SCOPES = {"place": Scope.INTERVAL, "queue": Scope.QUEUE, "agent": Scope.AGENT, "survey": Scope.SURVEY}


def _placed(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Each row with its place; what has no queue or no agent counts in the total alone."""
    for row in rows:
        names = [name for name in _SCOPES if name in row.keys()]  # noqa: SIM118  # a record, not a dict
        # the bit of a column that is grouped by is 0, the first column's being the highest
        grouped = [name for bit, name in enumerate(reversed(names)) if not row["kind"] >> bit & 1]
        if not grouped:
            yield Place(Scope.TOTAL), row
        elif row[grouped[0]] is not None:
            yield Place(_SCOPES[grouped[0]], str(row[grouped[0]])), row


def _counts(kind: type[Any], row: Mapping[str, Any]) -> Any:
    return kind(**{each.name: row[each.name] for each in fields(kind)})


def _talk(row: Mapping[str, Any]) -> Talk:
    sides = {
        party: Side(**{name: row[f"{party}_{name}"] for name in _SIDE}) for party in ("agent", "customer")
    }
    return Talk(
        conversations=row["conversations"],
        time_ms=row["time_ms"],
        non_talk_ms=row["non_talk_ms"],
        longest_non_talk_ms=row["longest_non_talk_ms"],
        **sides,
    )
