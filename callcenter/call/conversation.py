"""Caller and agent talk: bridge, recording, words, hold."""

from contextlib import AsyncExitStack
from enum import StrEnum
from typing import Any

from callcenter.call.context import CallContext, done, refuse
from callcenter.call.party import Party
from callcenter.call.queue_phase import Connected
from callcenter.call.signals import Command, Gone
from callcenter.call.sound_file import SoundFile
from callcenter.call.state import CallInput, CallState
from callcenter.call.words import LegWords
from callcenter.errors import GatewayError
from callcenter.events import EventType
from callcenter.media.bridge import BridgeSide, Tap

CALLER, AGENT = 0, 1


class EndedBy(StrEnum):
    """Who ended the conversation."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"
    TRANSFER = "transfer"


class Conversation:
    """One caller with one agent, from the agent's answer to the first hang-up."""

    def __init__(self, context: CallContext, connected: Connected) -> None:
        self._context = context
        self._agent: Party = connected.agent
        self._agent_id = connected.offer.agent_id
        self._queue = connected.queue
        self._answered_at = connected.at
        self.words: list[LegWords] = []
        self._sides: list[BridgeSide] = []

    async def run(self) -> EndedBy:
        """Talk until somebody hangs up; the events are written whatever happens."""
        context = self._context
        refused = {} if context.is_recordable else {"recorded": False}
        self._write(EventType.AGENT_CONNECTED, at=self._answered_at, **refused)
        by = EndedBy.SYSTEM
        try:
            async with AsyncExitStack() as stack:
                taps = await self._taps(stack)
                self._connect(taps)
                stack.callback(self._disconnect)
                by = await self._talk()
        finally:
            if context.state is CallState.HELD:
                self._write(EventType.HOLD_ENDED)
            self._write(EventType.CONVERSATION_ENDED, by=by.value)
            for side, leg in zip(self._sides, ("caller", "agent"), strict=False):
                if side.gap_ms:
                    context.journal.write(EventType.MEDIA_GAP, leg=leg, ms=round(side.gap_ms))
            context.services.background.spawn(
                self._agent.hang_up(), name=f"hanging up the agent of call {context.call_id}"
            )
        return by

    async def _taps(self, stack: AsyncExitStack) -> list[tuple[Tap, ...]]:
        taps: list[list[Tap]] = [[], []]
        services = self._context.services
        if not self._context.is_recordable:
            return [(), ()]
        if services.settings.recording.enabled:
            sound = await stack.enter_async_context(SoundFile(self._context, "conversation", channels=2))
            taps[CALLER].append(sound.tap(CALLER))
            taps[AGENT].append(sound.tap(AGENT))
        if services.recognizer is not None:
            for side, leg in ((CALLER, "caller"), (AGENT, "agent")):
                words = LegWords(self._context, services.recognizer, leg, self._queue, self._agent_id)
                self.words.append(words)
                taps[side].append(words.feed)
        return [tuple(side) for side in taps]

    def _connect(self, taps: list[tuple[Tap, ...]]) -> None:
        context, agent = self._context, self._agent
        self._sides = [
            BridgeSide(context.started_s, agent.send, taps[CALLER]),
            BridgeSide(context.started_s, context.caller.send, taps[AGENT]),
        ]
        context.caller.listen(self._sides[CALLER].hear)
        agent.listen(self._sides[AGENT].hear)

    def _disconnect(self) -> None:
        self._context.caller.listen(None)
        self._agent.listen(None)
        for side in self._sides:
            side.close()

    async def _talk(self) -> EndedBy:
        context = self._context
        while True:
            match signal := await context.inbox.get():
                case Gone(party) if party is context.caller:
                    return EndedBy.CUSTOMER
                case Gone(party) if party is self._agent:
                    return EndedBy.AGENT
                case Command() as command:
                    if (by := await self._obey(command)) is not None:
                        return by
                case _:
                    context.dismiss(signal)

    async def _obey(self, command: Command) -> EndedBy | None:
        context = self._context
        match command.name:
            case "hold" if context.state is CallState.TALKING:
                self._hold()
            case "resume" if context.state is CallState.HELD:
                await self._resume()
            case "hangup":
                done(command)
                return EndedBy.AGENT
            case "transfer":
                return await self._transfer(command)
            case _:
                refuse(command, context.state)
                return None
        done(command)
        return None

    def _hold(self) -> None:
        context = self._context
        context.move(CallInput.HOLD)
        self._write(EventType.HOLD_STARTED)
        for side in self._sides:
            side.close()
        for words in self.words:
            words.pause()
        context.caller.loop(context.services.prompts.music())

    async def _resume(self) -> None:
        context = self._context
        context.move(CallInput.RESUME)
        await context.caller.quiet()
        for words in self.words:
            words.resume()
        for side in self._sides:
            side.reopen()
        self._write(EventType.HOLD_ENDED)

    async def _transfer(self, command: Command) -> EndedBy | None:
        info = self._context.caller.info
        try:
            await self._context.services.gateways[info.gateway].transfer(
                info.call_ref, command.arguments["number"]
            )
        except GatewayError as error:
            if not command.done.done():
                command.done.set_exception(error)
            return None
        except BaseException:
            refuse(command, self._context.state)
            raise
        self._write(EventType.TRANSFER_BLIND, to=command.arguments["number"])
        done(command)
        return EndedBy.TRANSFER

    def _write(self, type_: EventType, **data: Any) -> None:
        self._context.journal.write(type_, queue=self._queue.name, agent=self._agent_id, **data)
