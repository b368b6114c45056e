"""The customers who are called back: what happens when their own telephones ring."""

import asyncio
from collections import deque
from dataclasses import replace
from functools import cache

import numpy as np

from callcenter.media.g711 import pcm16_to_ulaw
from callcenter.simulator import page_visit
from callcenter.simulator.callback_plan import BY_PAGE, CallbackPlan, Doing, Pickup
from callcenter.simulator.callback_truth import Rang
from callcenter.simulator.callers import Caller
from callcenter.simulator.calls import PhoneCall
from callcenter.simulator.line import Line
from callcenter.simulator.scenario import Script
from callcenter.simulator.speech import RATE_HZ, Utterance, encode_frames
from callcenter.simulator.truth import Pressed
from callcenter.simulator.world import Expecting, Meeting, World, any_set

CONNECT_TIMEOUT_S = 10.0
CONVERSATION_TIMEOUT_S = 180.0
RINGS_LONGEST_S = 150.0
END_TIMEOUT_S = 10.0
GREETING = "You have reached our voicemail. Please leave a message."

_PROMPT_BEGUN_FRAMES = 20
_MESSAGE_HEARD_FRAMES = 50


class Customer:
    """One customer's telephone, while a callback is expected and afterwards."""

    def __init__(self, world: World, expecting: Expecting) -> None:
        self._world = world
        self._expecting = expecting
        plan = expecting.plan.callback
        assert plan is not None
        self._plan: CallbackPlan = plan
        self._pickups = deque(plan.pickups)

    async def live(self) -> None:
        """Do what is planned meanwhile, until the callback is over."""
        world, expecting = self._world, self._expecting
        async with asyncio.TaskGroup() as group:
            for doing in self._plan.meanwhile:
                group.create_task(self._meanwhile(doing), name=f"{doing.what} of {expecting.plan.number}")
        if not await any_set(self._plan.waits_s, expecting.over):
            expecting.truth.problems.append(f"was not called back within {self._plan.waits_s:g} s")
        world.left_at[expecting.plan.number] = world.now()

    async def _meanwhile(self, doing: Doing) -> None:
        world, expecting = self._world, self._expecting
        if await any_set(doing.after_s, expecting.over):
            return
        if doing.what in BY_PAGE:
            await page_visit.change(world, expecting, doing.what)
            return
        patience_s = expecting.plan.patience_later_s
        again = replace(
            expecting.plan, script=Script.AGAIN, again=doing, callback=None, patience_s=patience_s
        )
        await Caller(world, again, expecting.dialled).live()

    async def ring(self, call: PhoneCall) -> None:
        """The telephone rings: note it, and do what is planned for this ringing."""
        world, expecting = self._world, self._expecting
        engaged = expecting.truth.rings_now or expecting.plan.number in world.meetings
        pickup = Pickup.BUSY if engaged else self._pickups.popleft() if self._pickups else Pickup.ANSWER
        rang = expecting.truth.ring(world.now(), call.sid, pickup)
        if engaged:
            call.reject()
            await any_set(END_TIMEOUT_S, call.ended)
            rang.ended_at = world.now()
            return
        meeting = expecting.meeting(world.now())
        meeting.call, meeting.truth.call_ref = call, call.sid
        self._report("is called back")
        try:
            await self._do(pickup, call, meeting, rang)
        finally:
            self._hang_up(meeting)
            await any_set(END_TIMEOUT_S, call.ended)
            rang.ended_at = world.now()
            expecting.turn = None
            self._conclude(meeting, rang)

    def _report(self, what: str, text: str = "") -> None:
        number = self._expecting.plan.number
        self._world.report(number, what, text, number)

    async def _do(self, pickup: Pickup, call: PhoneCall, meeting: Meeting, rang: Rang) -> None:
        if pickup is Pickup.BUSY:
            self._report("is busy")
            call.reject()
        elif pickup is Pickup.NO_ANSWER:
            await any_set(RINGS_LONGEST_S, call.ended)
            self._report("does not answer")
        elif not await any_set(self._plan.ring_s, call.ended):
            call.answer()
            await any_set(CONNECT_TIMEOUT_S, call.connected, call.ended)
            if call.line is not None:
                rang.answered_at = meeting.truth.answered_at = self._world.epoch + call.line.started_at
                await self._answered(pickup, call.line, meeting, rang)

    async def _answered(self, pickup: Pickup, line: Line, meeting: Meeting, rang: Rang) -> None:
        self._report("picks up", "" if pickup is Pickup.ANSWER else pickup.value)
        match pickup:
            case Pickup.MACHINE:
                await self._machine(line, meeting.call, rang)
            case Pickup.STRANGER:
                await self._say_hello(line)
                await any_set(self._plan.patience_s, meeting.call.ended)
            case _:
                await self._say_hello(line)
                assert meeting.reached is not None
                meeting.reached.set()
                await self._confirm(line, meeting, rang)
                await self._talk(meeting, rang)

    async def _say_hello(self, line: Line) -> None:
        if self._plan.hello:
            line.say(await self._world.bank.get(self._plan.hello, self._expecting.plan.voice))

    async def _confirm(self, line: Line, meeting: Meeting, rang: Rang) -> None:
        """Press the key once something is heard, where there is one to be pressed."""
        if not self._plan.confirm or not await _hears(line, meeting.call):
            return
        await any_set(self._expecting.plan.think_s, meeting.call.ended)
        await line.press(self._plan.confirm)
        rang.confirmed_at = self._world.now()
        meeting.truth.keys.append(Pressed(self._plan.confirm, rang.confirmed_at))
        self._report("presses", self._plan.confirm)

    async def _talk(self, meeting: Meeting, rang: Rang) -> None:
        """Wait for the agent, and talk until one of them has had enough."""
        if not await any_set(self._plan.patience_s, meeting.joined, meeting.call.ended):
            await meeting.settled()
        if not meeting.joined.is_set():
            self._report("hangs up" if not meeting.call.ended.is_set() else "is hung up on")
            return
        contact = meeting.truth.contact
        assert contact is not None
        rang.connected_at = contact.connected_at
        await any_set(CONVERSATION_TIMEOUT_S, meeting.parted)
        if contact.connected_at is None:  # the agent was sent away before a word was said
            rang.connected_at = None
        elif meeting.truth.ended_at is None:
            await any_set(END_TIMEOUT_S, meeting.call.ended)

    async def _machine(self, line: Line, call: PhoneCall, rang: Rang) -> None:
        """Say the greeting, beep, and record whatever comes."""
        greeting = await self._world.bank.get(GREETING, self._expecting.plan.voice)
        line.say(greeting)
        beeping = line.say(_beep())
        await any_set(greeting.duration_s + END_TIMEOUT_S, beeping.done, call.ended)
        before = line.voiced_frames
        await any_set(self._plan.patience_s, call.ended)
        rang.message_heard = line.voiced_frames - before >= _MESSAGE_HEARD_FRAMES

    def _hang_up(self, meeting: Meeting) -> None:
        if meeting.call.ended.is_set():
            by = "agent" if meeting.truth.parted_at is not None else "service"
            meeting.truth.ended("network" if meeting.call.broken else by, self._world.now())
        else:
            meeting.truth.ended("caller", self._world.now())
        meeting.call.hang_up()

    def _conclude(self, meeting: Meeting, rang: Rang) -> None:
        """What this ringing means for the rest: served, or to be called again, or the last time."""
        world, expecting = self._world, self._expecting
        if rang.answered_at is not None:
            expecting.truth.talks.append(meeting.truth)
        if rang.connected_at is not None:
            expecting.end("served", rang.ended_at or world.now())
            self._report("has been served")
        elif len(expecting.truth.rings) >= self._plan.attempts:
            expecting.end("exhausted", rang.ended_at or world.now())


async def _hears(line: Line, call: PhoneCall) -> bool:
    loop = asyncio.get_running_loop()
    until, before = loop.time() + CONNECT_TIMEOUT_S, line.voiced_frames
    while line.voiced_frames - before < _PROMPT_BEGUN_FRAMES:
        if loop.time() > until or await any_set(0.05, call.ended):
            return False
    return True


@cache
def _beep() -> Utterance:
    """A second of stillness, half a second of 1000 Hz, as voicemails do it."""
    at = np.arange(RATE_HZ // 2) / RATE_HZ
    tone = (9000 * np.sin(2 * np.pi * 1000 * at)).astype("<i2").tobytes()
    ulaw = pcm16_to_ulaw(b"\0\0" * RATE_HZ + tone)
    return Utterance("(beep)", ulaw, encode_frames(ulaw))
