"""An agent and a caller talk, both ends of it ours, so what one says can be looked for in the other's ear."""

import asyncio
from dataclasses import dataclass

from callcenter.simulator import ears
from callcenter.simulator.calls import PhoneCall
from callcenter.simulator.dialogue import Speaker
from callcenter.simulator.handing import Handing
from callcenter.simulator.line import Line, Saying
from callcenter.simulator.scenario import AgentPlan, PlannedTurn
from callcenter.simulator.service_api import ServiceError
from callcenter.simulator.speech import Utterance
from callcenter.simulator.truth import Held, Said
from callcenter.simulator.world import Meeting, World, any_set

HEARD_WITHIN_S = 1.0
"""How much later than spoken a sentence may be heard and still count."""

_LAST_PAUSE_S = 0.6
_AFTER_HOLD_S = 0.5


@dataclass(slots=True)
class _Spoken:
    """A sentence on its way from one line to the other."""

    record: Said
    saying: Saying
    mouth: Line
    ear: Line | None


class Conversation:
    """The planned turns of one meeting; ``run`` once both lines are up.

    ``begun`` tells whether anything was said: an agent who is sent away before that never had the call.
    ``handed_on`` says that the caller has gone on to somebody else.
    """

    def __init__(self, world: World, meeting: Meeting, agent: AgentPlan, agent_call: PhoneCall) -> None:
        self._world = world
        self._meeting = meeting
        self._agent = agent
        self._calls = {Speaker.AGENT: agent_call, Speaker.CALLER: meeting.call}
        self._spoken: list[_Spoken] = []
        self.handed_on = False

    @property
    def begun(self) -> bool:
        """Whether a sentence was begun."""
        return bool(self._spoken)

    async def run(self, sentences: list[Utterance]) -> None:
        """Say ``sentences``, one for each planned turn, then hand the caller over or let one side hang up."""
        plan = self._meeting.plan
        for index, (planned, sentence) in enumerate(zip(plan.turns, sentences, strict=True)):
            if not await self._pause(planned.gap_s):
                break
            following = plan.turns[index + 1].gap_s if index + 1 < len(plan.turns) else 0.0
            await self._say(planned, sentence, lead_s=max(-following, 0.0))
            if plan.hold_after == index:
                await self._hold(plan.hold_s)
        handovers = self._meeting.handovers
        while await self._pause(_LAST_PAUSE_S):
            if not handovers:
                self._hang_up()
                return
            handing = Handing(self._world, self._meeting, self._agent.id, self._ends())
            if await handing.hand_over(handovers.popleft()):
                self.handed_on = True
                return
        self._meeting.truth.ended(self._who_left(), self._world.now())

    def _hang_up(self) -> None:
        plan, truth, now = self._meeting.plan, self._meeting.truth, self._world.now()
        truth.part(now)
        if plan.ends is Speaker.CALLER:
            truth.ended(str(plan.ends), now)
        self._calls[plan.ends].hang_up()

    async def verify(self) -> None:
        """Look for each sentence in the other party's ear; computed in a thread."""
        for spoken in self._spoken:
            record, saying = spoken.record, spoken.saying
            if saying.first_frame is None:
                continue
            begun = spoken.mouth.time_of(saying.first_frame)
            record.started_at = self._world.epoch + begun
            record.ended_at = self._world.epoch + spoken.mouth.time_of(saying.first_frame + saying.sent)
            record.complete = saying.complete
            if spoken.ear is None or not saying.complete:
                continue
            said = saying.utterance.ulaw
            heard = spoken.ear.heard(begun, begun + saying.utterance.duration_s + HEARD_WITHIN_S)
            match = await asyncio.to_thread(ears.find, said, heard)
            record.score, record.heard_delay_ms = match.score, match.delay_ms

    async def _say(self, planned: PlannedTurn, sentence: Utterance, lead_s: float) -> None:
        """Say it, and return ``lead_s`` before its end."""
        speaker = planned.turn.speaker
        other = Speaker.CALLER if speaker is Speaker.AGENT else Speaker.AGENT
        mouth = self._calls[speaker].line
        if mouth is None:
            return
        saying = mouth.say(sentence)
        record = Said(str(speaker), sentence.text, self._world.now(), 0.0, complete=False)
        self._meeting.truth.said.append(record)
        self._spoken.append(_Spoken(record, saying, mouth, self._calls[other].line))
        who = self._agent.id if speaker is Speaker.AGENT else self._meeting.plan.number
        self._world.report(who, "says", sentence.text, self._meeting.plan.number)
        if lead_s:
            await self._pause(sentence.duration_s - lead_s)
        else:
            await any_set(sentence.duration_s + 5, saying.done, *self._ends())

    async def _hold(self, hold_s: float) -> None:
        api, agent = self._world.api, self._agent.id
        try:
            call_id = await api.call_of(agent)
            if call_id is None:
                raise ServiceError(f"the service knows no call of agent {agent}")
            await api.hold(call_id)
            held = Held(self._world.now(), self._world.now())
            contact = self._meeting.truth.contact
            assert contact is not None
            contact.holds.append(held)
            self._world.report(agent, "holds", call=self._meeting.plan.number)
            await self._pause(hold_s)
            await api.resume(call_id)
            held.ended_at = self._world.now()
            self._world.report(agent, "resumes", call=self._meeting.plan.number)
        except ServiceError as error:
            self._meeting.truth.problems.append(str(error))
        await self._pause(_AFTER_HOLD_S)

    async def _pause(self, seconds: float) -> bool:
        """Wait; false when somebody has gone. A pause of nothing or less only looks."""
        return not await any_set(seconds, *self._ends())

    def _ends(self) -> list[asyncio.Event]:
        return [call.ended for call in self._calls.values()]

    def _who_left(self) -> str:
        """Neither of ours hung up, so it was the service, or the network where a line broke."""
        broken = any(call.ended.is_set() and call.broken for call in self._calls.values())
        return "network" if broken else "service"
