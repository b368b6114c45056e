"""Caller and agent talk: bridge, recording, words, hold, a second agent, supervisors."""

from contextlib import AsyncExitStack
from typing import Any

from callcenter.call import earshot
from callcenter.call.consult import Consult, Stage
from callcenter.call.context import CallContext, done, fail, refuse
from callcenter.call.earshot import Mode, Talk
from callcenter.call.monitor import Monitors
from callcenter.call.queue_phase import Connected
from callcenter.call.signals import Command, ConsultAnswered, ConsultFailed, Gone
from callcenter.call.sound_file import SoundFile
from callcenter.call.state import CallInput, CallState
from callcenter.call.transfer import Destination, EndedBy, Kind, Parted, destination_of
from callcenter.call.words import LegWords
from callcenter.call.wrap_up import WrapUps
from callcenter.errors import GatewayError, NotFoundError, TransitionError
from callcenter.events import EventType
from callcenter.media.bridge import BridgeSide, Tap
from callcenter.media.conference import Conference
from callcenter.telephony.port import ABNORMAL_ENDS

CALLER, AGENT = 0, 1


class Conversation:
    """One caller with one agent, from the agent's answer until either has left the other."""

    def __init__(self, context: CallContext, connected: Connected, wrap_ups: WrapUps) -> None:
        self._context = context
        self._connected = connected
        self._agent = connected.agent
        self._agent_id = connected.offer.agent_id
        self._queue = connected.queue
        self._wrap_ups = wrap_ups
        self._consult: Consult | None = None
        self._conference = Conference(context.started_s, context.tasks)
        self._monitors = Monitors(
            context, self._conference, self._queue.name, self._agent_id, self._who_hears_whom
        )
        self._began_s = context.seconds()
        self.words: list[LegWords] = []
        self._sides: list[BridgeSide] = []
        self._taps: list[tuple[Tap, ...]] = []
        self._recorded: Tap | None = None

    async def run(self) -> Parted:
        """Talk until they part; the events are written whatever happens."""
        context = self._context
        refused = {} if context.is_recordable else {"recorded": False}
        self._write(EventType.AGENT_CONNECTED, at=self._connected.at, **refused)
        parted = Parted(EndedBy.SYSTEM)
        try:
            async with AsyncExitStack() as stack:
                self._taps = await self._make_taps(stack)
                self._connect()
                stack.callback(self._disconnect)
                parted = await self._talk()
        finally:
            self._end_consult("failed")
            if context.state in (CallState.HELD, CallState.CONSULTING):
                self._write(EventType.HOLD_ENDED)
            failed: dict[str, str] = {"bridge": "failed"} if parted.bridge_failed else {}
            self._write(EventType.CONVERSATION_ENDED, by=parted.by.value, **failed)
            for side, leg in zip(self._sides, ("caller", "agent"), strict=False):
                if side.gap_ms:
                    context.journal.write(EventType.MEDIA_GAP, leg=leg, ms=round(side.gap_ms))
            context.services.background.spawn(
                self._agent.hang_up(), name=f"hanging up the agent of call {context.call_id}"
            )
        return parted

    # The sound.

    async def _make_taps(self, stack: AsyncExitStack) -> list[tuple[Tap, ...]]:
        taps: list[list[Tap]] = [[], []]
        services = self._context.services
        if not self._context.is_recordable:
            return [(), ()]
        if services.settings.recording.enabled:
            sound = await stack.enter_async_context(SoundFile(self._context, "conversation", channels=2))
            taps[CALLER].append(sound.tap(CALLER))
            self._recorded = sound.tap(AGENT)
            taps[AGENT].append(self._recorded)
        if services.recognizer is not None:
            for side, leg in ((CALLER, "caller"), (AGENT, "agent")):
                words = LegWords(self._context, services.recognizer, leg, self._queue, self._agent_id)
                self.words.append(words)
                taps[side].append(words.feed)
        return [tuple(side) for side in taps]

    def _connect(self) -> None:
        context, agent = self._context, self._agent
        self._sides = [
            BridgeSide(context.started_s, agent.send, self._taps[CALLER]),
            BridgeSide(context.started_s, context.caller.send, self._taps[AGENT]),
        ]
        self._conference.seat(earshot.CALLER, self._sides[CALLER], context.caller.send)
        self._conference.seat(earshot.AGENT, self._sides[AGENT], agent.send)
        self._who_hears_whom()
        context.caller.listen(self._sides[CALLER].hear)
        agent.listen(self._sides[AGENT].hear)

    def _disconnect(self) -> None:
        self._context.caller.listen(None)
        self._agent.listen(None)
        if self._consult is not None and self._consult.second is not None:
            self._consult.second.agent.listen(None)
        self._monitors.close()
        self._conference.close()
        for side in self._sides:
            side.close()

    def _who_hears_whom(self) -> None:
        """What a barging supervisor says is recorded where the agent is: both are the house's side."""
        modes, talk = self._monitors.modes, self._talk_now()
        shared = self._recorded if Mode.BARGE in modes.values() else None
        if shared is None or talk is not Talk.CALLER_AND_AGENT:
            self._sides[AGENT].tap_with(self._taps[AGENT])
            self._conference.connect(earshot.hears(talk, modes))
            return
        self._sides[AGENT].tap_with(tuple(tap for tap in self._taps[AGENT] if tap is not shared))
        self._conference.connect(earshot.hears(talk, modes), {earshot.CALLER: shared})

    def _talk_now(self) -> Talk:
        if self._context.state is CallState.TALKING:
            return Talk.CALLER_AND_AGENT
        consulting = self._consult is not None and self._consult.stage is Stage.TALKING
        return Talk.TWO_AGENTS if consulting else Talk.AGENT_ALONE

    # What happens.

    async def _talk(self) -> Parted:
        context = self._context
        while True:
            signal = await context.inbox.get()
            consult = self._consult
            if self._monitors.hear(signal) or (consult is not None and consult.hear(signal)):
                continue
            match signal:
                case Gone(party) if party is context.caller:
                    self._end_consult("cancelled")
                    return Parted(EndedBy.CUSTOMER)
                case Gone(party, reason) if party is self._agent:
                    return self._left_by_agent(reason)
                case Gone(party) if consult and consult.second and party is consult.second.agent:
                    await self._return("failed")
                case ConsultAnswered(of) if of is consult:
                    await self._meet(of)
                case ConsultFailed(of) if of is consult:
                    await self._return("failed")
                case Command() as command:
                    if (parted := await self._answer(command)) is not None:
                        return parted
                case _:
                    context.dismiss(signal)

    def _left_by_agent(self, reason: str) -> Parted:
        """Who hangs up on a second agent leaves the caller to them, or in line for them."""
        consult = self._consult
        if consult is None:
            at_once = self._context.seconds() - self._began_s <= self._queue.bridge_grace_s
            if reason in ABNORMAL_ENDS and at_once:
                return Parted(EndedBy.SYSTEM, bridge_failed=True)
            return Parted(EndedBy.AGENT)
        if consult.stage is Stage.TALKING:
            return self._complete(consult)
        self._end_consult("completed")
        return self._blind(consult.to)

    async def _answer(self, command: Command) -> Parted | None:
        try:
            return await self._obey(command)
        except BaseException:
            refuse(command, self._context.state)
            raise

    async def _obey(self, command: Command) -> Parted | None:
        context = self._context
        match command.name:
            case "hold" if context.state is CallState.TALKING:
                self._hold(CallInput.HOLD)
            case "resume" if context.state is CallState.HELD:
                await self._reconnect(CallInput.RESUME)
            case "hangup":
                self._end_consult("cancelled")
                done(command)
                return Parted(EndedBy.AGENT)
            case "transfer" if context.state is not CallState.CONSULTING:
                return await self._transfer(command)
            case "complete_transfer" if self._consult is not None:
                return self._asked_to_complete(command, self._consult)
            case "cancel_transfer" if self._consult is not None:
                await self._return("cancelled")
            case "monitor" | "unmonitor":
                self._monitors.obey(command)
                return None
            case _:
                refuse(command, context.state)
                return None
        done(command)
        return None

    # On hold.

    def _hold(self, given: CallInput) -> None:
        context = self._context
        if context.state is CallState.TALKING:
            self._write(EventType.HOLD_STARTED)
            for side in self._sides:
                side.close()
            for words in self.words:
                words.pause()
            context.caller.loop(context.services.prompts.music())
        context.move(given)
        self._who_hears_whom()

    async def _reconnect(self, given: CallInput) -> None:
        context = self._context
        context.move(given)
        await context.caller.quiet()
        for words in self.words:
            words.resume()
        for side in self._sides:
            side.reopen()
        self._who_hears_whom()
        self._write(EventType.HOLD_ENDED)

    # To somebody else.

    async def _transfer(self, command: Command) -> Parted | None:
        to = destination_of(command.arguments)
        if to.kind is Kind.NUMBER:
            return await self._to_number(command, to)
        try:
            queue = self._context.services.queues.get(to.queue)
        except NotFoundError as error:
            fail(command, error)
            return None
        if to.agent == self._agent_id:
            fail(command, TransitionError(f"agent {to.to} talks on this call"))
            return None
        if command.arguments.get("mode") != "warm":
            done(command)
            return self._blind(to)
        self._hold(CallInput.CONSULT)
        self._consult = Consult(self._context, self._wrap_ups, to, queue, self._connected.since)
        self._write(EventType.CONSULT_STARTED, to=to.to, kind=to.kind.value)
        self._consult.start()
        done(command)
        return None

    async def _to_number(self, command: Command, to: Destination) -> Parted | None:
        info = self._context.caller.info
        try:
            await self._context.services.gateways[info.gateway].transfer(info.call_ref, to.to)
        except GatewayError as error:
            fail(command, error)
            return None
        done(command)
        return self._blind(to)

    def _blind(self, to: Destination) -> Parted:
        self._write(EventType.TRANSFER_BLIND, to=to.to, kind=to.kind.value)
        return Parted(EndedBy.TRANSFER, to=to)

    async def _meet(self, consult: Consult) -> None:
        """The second agent has come: the two talk, neither recorded nor transcribed."""
        second = consult.answered()
        if second is None:
            await self._return("failed")
            return
        started_s, agent = self._context.started_s, self._agent
        for name, party, other in ((earshot.AGENT, agent, second), (earshot.SECOND, second, agent)):
            side = BridgeSide(started_s, other.send, ())
            self._conference.seat(name, side, party.send)
            party.listen(side.hear)
        self._who_hears_whom()

    async def _return(self, result: str) -> None:
        """The first agent is back with the caller."""
        consult = self._consult
        if consult is not None and consult.second is not None:
            consult.second.agent.listen(None)
        self._end_consult(result)
        self._conference.unseat(earshot.SECOND)
        self._conference.seat(earshot.AGENT, self._sides[AGENT], self._agent.send)
        self._agent.listen(self._sides[AGENT].hear)
        await self._reconnect(CallInput.RETURN)

    def _asked_to_complete(self, command: Command, consult: Consult) -> Parted | None:
        if consult.stage is not Stage.TALKING:
            fail(command, TransitionError("the second agent has not answered yet"))
            return None
        done(command)
        return self._complete(consult)

    def _complete(self, consult: Consult) -> Parted:
        second = consult.hand_over()
        self._end_consult("completed")
        self._write(EventType.TRANSFER_ATTENDED, to=consult.to.to, kind=consult.to.kind.value)
        return Parted(EndedBy.TRANSFER, second=second)

    def _end_consult(self, result: str) -> None:
        consult, self._consult = self._consult, None
        if consult is None:
            return
        if consult.second is not None:
            consult.second.agent.listen(None)
        consult.drop()
        self._write(EventType.CONSULT_ENDED, result=result)

    def _write(self, type_: EventType, **data: Any) -> None:
        self._context.journal.write(type_, queue=self._queue.name, agent=self._agent_id, **data)
