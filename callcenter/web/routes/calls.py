"""``/api/v1/calls``: what happened in each call, and commands to those in progress."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from aiohttp import web

from callcenter import timeline
from callcenter.contact import Contact
from callcenter.events import Event
from callcenter.storage.calls import CallFilter, CallRecord, Calls
from callcenter.storage.transcripts import Transcripts, TranscriptSegment
from callcenter.web import models, paging
from callcenter.web.body import parse_query
from callcenter.web.errors import ForbiddenError
from callcenter.web.params import answer, id_of, principal_of
from callcenter.web.ports import CallControl
from callcenter.web.principal import Principal


class CallRoutes:
    """Calls, their events and words; agents see and control their own.

    ``now`` is UTC on the database's clock, ``short_abandon_s`` the threshold of short abandons.
    """

    def __init__(
        self,
        calls: Calls,
        transcripts: Transcripts,
        control: CallControl,
        now: Callable[[], datetime],
        short_abandon_s: float,
    ) -> None:
        self._calls = calls
        self._transcripts = transcripts
        self._control = control
        self._now = now
        self._short_abandon_s = short_abandon_s

    def routes(self) -> list[web.AbstractRouteDef]:
        """Where they answer."""
        return [
            web.get("/api/v1/calls", self.list),
            web.get("/api/v1/calls/{id}", self.get),
            web.get("/api/v1/calls/{id}/events", self.events),
            web.get("/api/v1/calls/{id}/transcript", self.transcript),
            web.post("/api/v1/calls/{id}/hold", self.hold),
            web.post("/api/v1/calls/{id}/resume", self.resume),
            web.post("/api/v1/calls/{id}/hangup", self.hang_up),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Calls, newest first, a page at a time."""
        query = parse_query(models.CallQuery, request.query)
        where = CallFilter(
            queue=query.queue,
            agent_id=_whose(principal_of(request), query.agent),
            outcome=query.outcome,
            number=query.number,
            started_from=query.from_,
            started_before=query.to,
        )
        after = paging.decode(query.cursor) if query.cursor is not None else None
        records = await self._calls.list(where, after=after, limit=query.limit + 1)
        page = [models.Call(**_call(record)) for record in records[: query.limit]]
        more = len(records) > query.limit
        cursor = paging.encode(paging.Place(page[-1].started_at, page[-1].call_id)) if more else None
        return answer(models.CallPage(calls=page, next_cursor=cursor))

    async def get(self, request: web.Request) -> web.Response:
        """One call and where its time went."""
        record = await self._visible(request)
        events = await self._calls.events(record.call_id)
        figures = timeline.build(events, self._now(), self._short_abandon_s) if events else None
        return answer(
            models.CallDetail(**_call(record), timeline=_timeline(figures) if figures is not None else None)
        )

    async def events(self, request: web.Request) -> web.Response:
        """The call's rows of the event log, in the order they happened."""
        record = await self._visible(request)
        events = [_event(event) for event in await self._calls.events(record.call_id)]
        return answer(models.EventList(events=events))

    async def transcript(self, request: web.Request) -> web.Response:
        """What was said, in order of time."""
        record = await self._visible(request)
        rows = await self._transcripts.of_call(record.call_id)
        segments = [_segment(row) for row in rows]
        return answer(models.Transcript(call_id=record.call_id, segments=segments))

    async def hold(self, request: web.Request) -> web.Response:
        """The caller hears music, the agent nothing."""
        return await self._command(request, "hold")

    async def resume(self, request: web.Request) -> web.Response:
        """Caller and agent hear each other again."""
        return await self._command(request, "resume")

    async def hang_up(self, request: web.Request) -> web.Response:
        """End the call."""
        return await self._command(request, "hangup")

    async def _command(self, request: web.Request, command: str) -> web.Response:
        record = await self._visible(request)
        await self._control.control(record.call_id, command)
        return web.Response(status=204)

    async def _visible(self, request: web.Request) -> CallRecord:
        record = await self._calls.get(id_of(request, "call"))
        principal_of(request).require_agent(record.agent_id)
        return record


def _whose(principal: Principal, agent: str | None) -> str | None:
    """Whose calls are listed: an agent's own, or those asked for."""
    if principal.sees_all:
        return agent
    if principal.agent_id is None or agent not in (None, principal.agent_id):
        raise ForbiddenError("your role may list your own calls only", "agent")
    return principal.agent_id


def _call(record: CallRecord) -> dict[str, str | UUID | datetime | None]:
    return {
        "call_id": record.call_id,
        "chain_id": record.chain_id,
        "direction": record.direction,
        "gateway": record.gateway,
        "from": record.from_number,
        "to": record.to_number,
        "queue": record.queue,
        "agent_id": record.agent_id,
        "started_at": record.started_at,
        "connected_at": record.connected_at,
        "ended_at": record.ended_at,
        "end_cause": record.end_cause,
        "outcome": record.outcome,
    }


_SEGMENT = tuple(name for name in models.Segment.model_fields if name != "words")


def _segment(row: TranscriptSegment) -> models.Segment:
    words = [models.Word(**word._asdict()) for word in row.words]
    return models.Segment(**{name: getattr(row, name) for name in _SEGMENT}, words=words)


def _event(event: Event) -> models.EventItem:
    return models.EventItem(
        event_id=event.event_id,
        at=event.at,
        type=event.type.value,
        call_id=event.call_id,
        seq=event.seq,
        chain_id=event.chain_id,
        queue=event.queue,
        agent=event.agent,
        leg=event.leg,
        data=dict(event.data),
    )


def _timeline(figures: timeline.Timeline) -> models.Timeline:
    return models.Timeline(
        answered_at=figures.answered_at,
        total_s=figures.total_s,
        ivr_s=figures.ivr_s,
        wait_s=figures.wait_s,
        contacts=[_contact(contact) for contact in figures.contacts],
    )


def _contact(contact: Contact) -> models.Contact:
    return models.Contact(
        queue=contact.queue,
        entered_at=contact.entered_at,
        ended=contact.ended.value,
        left_reason=contact.left_reason.value if contact.left_reason is not None else None,
        left_at=contact.left_at,
        connected_at=contact.connected_at,
        conversation_ended_at=contact.conversation_ended_at,
        agent_id=contact.agent,
        offers=contact.offers,
        wait_s=contact.wait_s,
        ring_s=contact.ring_s,
        talk_s=contact.talk_s,
        hold_s=contact.hold_s,
        acw_s=contact.acw_s,
        attended=contact.attended,
    )
