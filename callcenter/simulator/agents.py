"""The people who answer: offers, conversations, wrap-up."""

import asyncio

from callcenter.simulator import overflow
from callcenter.simulator.calls import PhoneCall
from callcenter.simulator.conversation import Conversation
from callcenter.simulator.dialogue import Speaker
from callcenter.simulator.scenario import AgentPlan, Answer, CallerPlan
from callcenter.simulator.service_api import ServiceError
from callcenter.simulator.speech import Utterance
from callcenter.simulator.truth import ContactTruth, Offered
from callcenter.simulator.world import Consult, Meeting, World, any_set

MISS_LONGEST_S = 60.0
CONNECT_TIMEOUT_S = 10.0
LEAVE_TIMEOUT_S = 8.0
AFTER_MISS_S = 1.0
JUST_GONE_S = 5.0
LET_GO_WITHIN_S = 2.0
ASKED_LONGEST_S = 30.0
CUSTOMER_LONGEST_S = 60.0
READY_TRIES, READY_EVERY_S = 4, 0.3


class Agent:
    """One agent with a telephone and a desk; one call at a time."""

    def __init__(self, world: World, plan: AgentPlan) -> None:
        self._world = world
        self.plan = plan
        self._answers = list(plan.answers)
        self._call: PhoneCall | None = None
        self._wrapping_up = False
        self._rings = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def sign_in(self) -> None:
        """Begin the day. Raises ``ServiceError`` when the service does not let us."""
        await self._world.api.agent_event(self.plan.id, "sign_in")
        await self._world.api.agent_event(self.plan.id, "ready")
        self._world.report(self.plan.id, "signs in")

    async def sign_out(self) -> None:
        """End the day."""
        await self._tell("sign_out")

    async def ring(self, call: PhoneCall) -> None:
        """The telephone rings: do what is planned for this offer."""
        meeting = self._world.meeting_of(call.from_number)
        if meeting is None:
            gone_s = self._world.now() - self._world.left_at.get(call.from_number, 0.0)
            if gone_s > JUST_GONE_S:
                self._world.truth.note(f"agent {self.plan.id} was dialled for a caller who is gone")
            call.reject()
            return
        if self._wrapping_up or (self._call and not await any_set(LET_GO_WITHIN_S, self._call.ended)):
            self._world.truth.note(f"agent {self.plan.id} was dialled while on a call or wrapping up")
            call.reject()
            return
        self._call = call
        self._rings += 1
        self.idle.clear()
        try:
            answer = self._answers.pop(0) if self._answers else Answer.ANSWER
            await self._take(answer, call, meeting)
        finally:
            call.hang_up()
            self._rings -= 1
            if not self._rings:
                self.idle.set()

    async def _take(self, answer: Answer, call: PhoneCall, meeting: Meeting) -> None:
        offer = Offered(self.plan.id, self._world.now(), "cancelled", self.plan.queues)
        meeting.truth.offers.append(offer)
        self._world.report(self.plan.id, "rings", call=meeting.plan.number)
        consult = meeting.consult
        asked = consult if consult is not None and not consult.decided.is_set() else None
        sentences = await self._prepare(meeting.plan)
        try:
            if answer is Answer.MISS:
                await self._miss(call, meeting, offer)
                return
            if await any_set(self.plan.ring_s, call.ended):
                return
        finally:
            offer.ended_at = offer.ended_at or self._world.now()
        if answer is Answer.REJECT:
            offer.answer = "rejected"
            self._world.report(self.plan.id, "rejects", call=meeting.plan.number)
            call.reject()
        elif meeting.reached is not None and asked is None:
            if await self._picked_up(call, meeting):
                await self._call_back(call, meeting, offer, sentences)
        elif not meeting.waits if asked is None else asked.decided.is_set():
            await any_set(MISS_LONGEST_S, call.ended)
        elif await self._picked_up(call, meeting):
            await self._serve(call, meeting, offer, asked, sentences)

    async def _call_back(
        self, call: PhoneCall, meeting: Meeting, offer: Offered, sentences: list[Utterance]
    ) -> None:
        """Wait for the customer, who is dialled now or is on the line already, and talk; or be let go."""
        assert meeting.reached is not None
        offer.answer = "answered"
        self._world.report(self.plan.id, "answers", call=meeting.plan.number)
        if not await any_set(CUSTOMER_LONGEST_S, meeting.reached, call.ended):
            meeting.truth.problems.append("an agent waited in vain for the customer to be dialled")
        plan = meeting.plan.callback
        if meeting.reached.is_set() and plan is not None:
            await any_set(plan.settle_s, call.ended, meeting.call.ended)
        if call.line is None or meeting.call.line is None or call.ended.is_set():
            await self._tell("ready")
            return
        truth, world = meeting.truth, self._world
        contact = truth.enter(meeting.plan.queue or str(meeting.plan.topic), offer.at)
        contact.agent = self.plan.id
        contact.connected_at = world.epoch + max(call.line.started_at, meeting.call.line.started_at)
        meeting.joined.set()
        await self._talk(call, meeting, offer, sentences)

    async def _miss(self, call: PhoneCall, meeting: Meeting, offer: Offered) -> None:
        await any_set(MISS_LONGEST_S, call.ended)
        offer.answer = "cancelled" if meeting.call.ended.is_set() else "missed"
        offer.ended_at = self._world.now()
        self._world.report(self.plan.id, "misses", call=meeting.plan.number)
        await asyncio.sleep(AFTER_MISS_S)
        await self._tell("ready")

    async def _serve(
        self,
        call: PhoneCall,
        meeting: Meeting,
        offer: Offered,
        asked: Consult | None,
        sentences: list[Utterance],
    ) -> None:
        """Talk to the caller, or first to the agent who asks about the caller."""
        if asked is None:
            self._connect(call, meeting, offer)
        elif not await self._asked(call, offer, asked):
            return
        await self._talk(call, meeting, offer, sentences)

    async def _picked_up(self, call: PhoneCall, meeting: Meeting) -> bool:
        """Answer; whether there is a line now."""
        meeting.answering += 1
        try:
            call.answer()
            await any_set(CONNECT_TIMEOUT_S, call.connected, call.ended)
        finally:
            meeting.answering -= 1
        return call.line is not None and meeting.truth.ended_at is None

    async def _prepare(self, plan: CallerPlan) -> list[Utterance]:
        """Both parties' sentences, ready before anybody needs them."""
        voices = {Speaker.AGENT: self.plan.voice, Speaker.CALLER: plan.voice}
        return [
            await self._world.bank.get(planned.turn.text, voices[planned.turn.speaker])
            for planned in plan.turns
        ]

    def _connect(self, call: PhoneCall, meeting: Meeting, offer: Offered) -> None:
        """The caller is ours, and waits in a queue that we serve."""
        assert call.line is not None
        truth, world = meeting.truth, self._world
        overflow.rung(truth, self.plan.queues, offer.at, world.overflows)
        contact = truth.contact
        assert contact is not None
        contact.agent, contact.connected_at = self.plan.id, world.epoch + call.line.started_at
        offer.answer = "answered"
        meeting.joined.set()
        world.report(self.plan.id, "answers", call=meeting.plan.number)

    async def _asked(self, call: PhoneCall, offer: Offered, consult: Consult) -> bool:
        """Another agent wants advice about a caller; whether that caller is handed over to us."""
        offer.answer = "asked"
        consult.second = self.plan.id
        consult.answered.set()
        await any_set(ASKED_LONGEST_S, consult.decided, call.ended)
        if not consult.completed:
            await any_set(LEAVE_TIMEOUT_S, call.ended)
        return consult.completed

    async def _talk(
        self, call: PhoneCall, meeting: Meeting, offer: Offered, sentences: list[Utterance]
    ) -> None:
        truth, world, contact = meeting.truth, self._world, meeting.truth.contact
        assert contact is not None
        conversation = Conversation(world, meeting, self.plan, call)
        await conversation.run(sentences)
        if not conversation.begun and call.ended.is_set() and not meeting.call.ended.is_set():
            self._sent_away(meeting, contact, offer)
            return
        self._wrapping_up = True
        meeting.over = not conversation.handed_on
        meeting.parted.set()
        if not await any_set(LEAVE_TIMEOUT_S, call.ended):
            truth.problems.append("the service did not end the agent's leg")
        call.hang_up()
        if world.listens:
            await conversation.verify()
        await self._wrap_up(contact)
        world.report(self.plan.id, "is ready", call=meeting.plan.number)

    async def _wrap_up(self, contact: ContactTruth) -> None:
        world = self._world
        parted_at = contact.parted_at or world.now()
        await asyncio.sleep(max(parted_at + self.plan.wrap_up_s - world.now(), 0.0))
        self._wrapping_up = False
        for _ in range(READY_TRIES):
            asked_at = world.now()
            if await self._tell("ready"):
                break
            # The service has not yet seen the end of the conversation.
            await asyncio.sleep(READY_EVERY_S)
        # The service took note somewhere between the asking and its answer.
        contact.wrap_up_ended_at = (asked_at + world.now()) / 2

    def _sent_away(self, meeting: Meeting, contact: ContactTruth, offer: Offered) -> None:
        """The service took the offer back at the moment of the answer; the caller goes on waiting."""
        truth = meeting.truth
        contact.agent = contact.connected_at = contact.parted_at = None
        truth.ended_at = truth.ended_by = None
        offer.answer = "cancelled"
        meeting.joined.clear()
        meeting.parted.set()

    async def _tell(self, event: str) -> bool:
        try:
            return await self._world.api.agent_event(self.plan.id, event)
        except ServiceError as error:
            self._world.truth.note(str(error))
            return True
