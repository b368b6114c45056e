"""Carries out what the IVR engine asks for, and feeds it what the caller does."""

import asyncio
import logging
from collections.abc import Sequence

import ivr
from callcenter.call.context import CallContext, CallerGoneError, HangUpAskedError, done
from callcenter.call.hearing import Hearing
from callcenter.call.signals import Command, Gone, Key, LookedUp, Played, Spoke, TimerFired
from callcenter.call.survey import write_survey
from callcenter.errors import CallCenterError
from callcenter.events import EventType

log = logging.getLogger(__name__)

Step = ivr.JoinQueue | ivr.Voicemail | ivr.RecordWords | ivr.Transfer | ivr.HangUp
"""What the engine asks for that is not done by playing and listening."""


class IvrPhase:
    """Drives one engine for the whole call; between its steps the other phases take over."""

    def __init__(self, context: CallContext, engine: ivr.Engine) -> None:
        self._context = context
        self._engine = engine
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._playing: asyncio.Task[None] | None = None
        self._looking_up: asyncio.Task[None] | None = None
        self._hearing: Hearing | None = None

    async def next_step(self, event: ivr.Event | None) -> Step:
        """Feed ``event`` (``None`` starts the flow) and go on until a step is asked for.

        Raises ``CallerGoneError`` when the caller hangs up meanwhile.
        """
        actions = self._start() if event is None else self._feed(event)
        try:
            while True:
                for action in actions:
                    if isinstance(action, Step):
                        return action
                    await self._carry_out(action)
                actions = await self._listen()
        finally:
            await self._settle()

    def _start(self) -> Sequence[ivr.Action]:
        return self._engine.start(self._context.services.now())

    def _feed(self, event: ivr.Event) -> Sequence[ivr.Action]:
        return self._engine.feed(event, self._context.services.now())

    async def _listen(self) -> Sequence[ivr.Action]:
        signal = await self._context.inbox.get()
        match signal:
            case Key(digit):
                return self._feed(ivr.Digit(digit))
            case Spoke(event):
                return self._feed(event)
            case Played(play_id, complete) if complete:
                return self._feed(ivr.Played(play_id))
            case TimerFired(timer) if timer in self._timers:
                del self._timers[timer]
                return self._feed(ivr.Timeout(timer))
            case LookedUp(lookup_id, values):
                return self._feed(ivr.LookedUp(lookup_id, values))
            case Gone(party) if party is self._context.caller:
                self._feed(ivr.HungUp())
                raise CallerGoneError(self._context.services.now())
            case Command() if signal.name == "hangup":
                done(signal)
                raise HangUpAskedError
            case _:
                self._context.dismiss(signal)
        return ()

    async def _carry_out(self, action: ivr.Action) -> None:
        journal = self._context.journal
        match action:
            case ivr.Play(prompts=prompts, play_id=play_id):
                await self._stop_playing()
                self._playing = self._context.tasks.create_task(
                    self._play(play_id, prompts), name=f"prompt of call {self._context.call_id}"
                )
            case ivr.StopPlaying():
                await self._stop_playing()
            case ivr.StartTimer(timer, seconds):
                self._start_timer(timer, seconds)
            case ivr.CancelTimer(timer):
                self._cancel_timer(timer)
            case ivr.Listen():
                self._start_hearing(action)
            case ivr.StopListening():
                self._stop_hearing()
            case ivr.Entered(flow, node):
                journal.write(EventType.IVR_ENTERED, flow=flow, node=node)
            case ivr.Input(node, kind, value, None):
                journal.write(EventType.IVR_INPUT, node=node, kind=kind, value=value)
            case ivr.Input(node, kind, value, score):
                journal.write(EventType.IVR_INPUT, node=node, kind=kind, value=value, score=score)
            case ivr.NoInput(node):
                journal.write(EventType.IVR_NO_INPUT, node=node)
            case ivr.NoMatch(node):
                journal.write(EventType.IVR_NO_MATCH, node=node)
            case ivr.LookUp():
                self._looking_up = self._context.tasks.create_task(
                    self._look_up(action), name=f"lookup of call {self._context.call_id}"
                )
            case ivr.Consented(node, given):
                self._context.is_recordable = given
                journal.write(EventType.IVR_INPUT, node=node, kind="consent", value="yes" if given else "no")
            case ivr.SurveyOffered() | ivr.SurveyAnswered():
                write_survey(journal, action)

    async def _look_up(self, action: ivr.LookUp) -> None:
        context = self._context
        began_s = context.seconds()
        values = await context.services.look_up(action)
        result, ms = "failed" if values is None else "ok", round((context.seconds() - began_s) * 1000)
        context.journal.write(EventType.IVR_LOOKUP, node=action.node, result=result, ms=ms)
        context.inbox.put(LookedUp(action.lookup_id, values))

    async def _play(self, play_id: int, prompts: Sequence[ivr.Prompt]) -> None:
        try:
            pcm16 = b"".join([await self._sound(prompt) for prompt in prompts])
        except CallCenterError as error:
            log.error("call %s: a prompt stays silent: %s", self._context.call_id, error)
            pcm16 = b""
        complete = await self._context.caller.play(pcm16)
        self._context.inbox.put(Played(play_id, complete))

    async def _sound(self, prompt: ivr.Prompt) -> bytes:
        sounds = self._context.services.prompts
        if isinstance(prompt, ivr.Wav):
            return await sounds.wav(prompt.path)
        return await sounds.pcm(prompt.text, prompt.name, prompt.language, keep=not prompt.varies)

    async def _stop_playing(self) -> None:
        playing, self._playing = self._playing, None
        if playing is not None and not playing.done():
            playing.cancel()
            await self._context.caller.quiet()

    def _start_hearing(self, action: ivr.Listen) -> None:
        self._stop_hearing()
        recognizer = self._context.services.recognizer
        if recognizer is not None:
            self._hearing = Hearing(self._context, recognizer, action)

    def _stop_hearing(self) -> None:
        hearing, self._hearing = self._hearing, None
        if hearing is not None:
            hearing.close()

    def _start_timer(self, timer: int, seconds: float) -> None:
        self._cancel_timer(timer)
        loop = asyncio.get_running_loop()
        self._timers[timer] = loop.call_later(seconds, self._context.inbox.put, TimerFired(timer))

    def _cancel_timer(self, timer: int) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    async def _settle(self) -> None:
        for timer in list(self._timers):
            self._cancel_timer(timer)
        if self._looking_up is not None:
            self._looking_up.cancel()
        self._stop_hearing()
        await self._stop_playing()
