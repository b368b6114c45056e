"""The people who call: what each script does with a telephone."""

import asyncio
import random
from collections import deque

from callcenter.simulator import asking, ears, overflow
from callcenter.simulator.calls import PhoneCall
from callcenter.simulator.line import Line
from callcenter.simulator.scenario import (
    CALLBACK_KEY,
    HOURS_KEY,
    MENU_KEYS,
    MENU_NAMES,
    QUESTIONS,
    QUESTIONS_CHOICE,
    VOICEMAIL_KEY,
    WRONG_KEY,
    CallerPlan,
    Script,
)
from callcenter.simulator.speaking import Talker
from callcenter.simulator.surveyed import take_survey
from callcenter.simulator.truth import CallTruth, Pressed, Said
from callcenter.simulator.world import Meeting, World, any_set

CONNECT_TIMEOUT_S = 20.0
PROMPT_TIMEOUT_S = 5.0
HOURS_TIMEOUT_S = 30.0
BEEP_TIMEOUT_S = 25.0
ANSWER_TIMEOUT_S = 20.0
MENU_TIMEOUT_S = 12.0
MENU_BEGINS = "For sales, say sales or press 1."
NO_MORE, GOODBYE = "No, thank you.", "Goodbye."
CONVERSATION_TIMEOUT_S = 180.0

_PROMPT_BEGUN_FRAMES = 20
_AFTER_WRONG_KEY_S = 2.0
_ACCOUNT_PROMPT_S = 1.5
_BETWEEN_DIGITS_S = (0.12, 0.22)
_LISTEN_S = 0.16
_LONG_QUIET_FRAMES = 75
_MESSAGE_HEARD_FRAMES = 50
_ANSWER_OVER_FRAMES = 40


class Caller:
    """One person who calls once."""

    def __init__(self, world: World, plan: CallerPlan, dialled: str) -> None:
        self._world = world
        self._plan = plan
        self._dialled = dialled
        self._rng = random.Random(plan.number)  # noqa: S311 - not a secret

    async def live(self) -> None:
        """Call, follow the script, hang up."""
        world, plan = self._world, self._plan
        truth = CallTruth(plan.number, self._dialled, str(plan.script), world.now())
        call = world.gateway.place_call(plan.number, self._dialled, plan.fault)
        truth.call_ref = call.sid
        world.truth.calls.append(truth)
        self._report("calls", str(plan.script))
        meeting = world.meetings[plan.number] = Meeting(plan, truth, call, handovers=deque(plan.handovers))
        try:
            await any_set(CONNECT_TIMEOUT_S, call.connected, call.ended)
            if call.line is not None:
                truth.answered_at = world.epoch + call.line.started_at
                await self._follow(meeting, call.line)
        finally:
            self._leave(truth, call)
            del world.meetings[plan.number]
            world.left_at[plan.number] = world.now()
        await any_set(CONNECT_TIMEOUT_S, call.ended)

    def _report(self, what: str, text: str = "") -> None:
        self._world.report(self._plan.number, what, text, self._plan.number)

    def _leave(self, truth: CallTruth, call: PhoneCall) -> None:
        overflow.ended(truth, self._world.now(), self._world.overflows)
        if call.ended.is_set():
            truth.ended("network" if call.broken else "service", self._world.now())
        else:
            truth.ended("caller", self._world.now())
        call.hang_up()
        self._report("ended", truth.ended_by or "")

    async def _follow(self, meeting: Meeting, line: Line) -> None:
        plan, call = self._plan, meeting.call
        match plan.script:
            case Script.HANG_UP_IN_MENU:
                await any_set(plan.think_s * 1.5, call.ended)
            case Script.HOURS:
                await self._choose(meeting, line, HOURS_KEY)
                await any_set(HOURS_TIMEOUT_S, call.ended)
            case Script.VOICEMAIL:
                await self._choose(meeting, line, VOICEMAIL_KEY)
                await self._leave_message(meeting, line)
            case Script.QUESTION:
                await self._ask(meeting, line)
            case Script.SPOKEN_CHOICE | Script.SECOND_TRY:
                await self._say_choice(meeting, line)
                await self._wait_and_talk(meeting)
            case Script.CALLBACK | Script.TIMED_OUT | Script.TURNED_AWAY:
                await self._enter_queue(meeting, line)
                await self._leave_queue(meeting, line)
            case Script.KEEP_PLACE:
                await self._enter_queue(meeting, line)
                await self._ask_for_callback(meeting, line)
            case Script.AGAIN:
                assert plan.again is not None
                if await asking.phone_in(self._world, meeting, line, plan.again):
                    await self._wait_and_talk(meeting)
            case Script.TALK | Script.WRONG_KEY | Script.ACCOUNT | Script.ABANDON:
                await self._enter_queue(meeting, line)
                await self._wait_and_talk(meeting)

    async def _say_choice(self, meeting: Meeting, line: Line) -> None:
        """Say where to, which the service may have to be told more than once."""
        plan, talker = self._plan, Talker(self._world, meeting, line)
        *mumbled, choice = plan.words
        await self._hear_what_to_say(meeting, talker)
        for text in mumbled:
            await talker.say(text, "")
            await talker.pause(plan.think_s)
        name = MENU_NAMES[plan.topic]
        if await talker.choose(choice, name):
            meeting.truth.understood.append(name)
            meeting.truth.enter(str(plan.topic), talker.reacted_at)
        elif not meeting.call.ended.is_set():
            meeting.truth.problems.append("the service did not understand a spoken choice")

    async def _hear_what_to_say(self, meeting: Meeting, talker: Talker) -> None:
        """Words cannot be said ahead, as keys can be dialled ahead: wait for the menu."""
        if not await talker.hear(MENU_BEGINS, MENU_TIMEOUT_S):
            meeting.truth.problems.append("no menu was heard")
        await any_set(self._plan.think_s, meeting.call.ended)

    async def _ask(self, meeting: Meeting, line: Line) -> None:
        """Ask something, hear the answer, and have no other question."""
        talker, (menu, question) = Talker(self._world, meeting, line), self._plan.words
        await self._hear_what_to_say(meeting, talker)
        for text, (name, expected) in ((menu, QUESTIONS_CHOICE), (question, QUESTIONS[question])):
            if not await talker.choose(text, name, expected):
                meeting.truth.problems.append("the service did not understand a question")
                return
            meeting.truth.understood.append(name)
            await talker.hear_out(_ANSWER_OVER_FRAMES, ANSWER_TIMEOUT_S)
        await talker.say(NO_MORE, "done", GOODBYE)
        meeting.truth.understood.append("done")
        await any_set(HOURS_TIMEOUT_S, meeting.call.ended)

    async def _choose(self, meeting: Meeting, line: Line, key: str) -> None:
        """Listen to the menu for a while and press a key."""
        await self._hear_menu(meeting, line)
        await self._press(meeting, line, key)

    async def _hear_menu(self, meeting: Meeting, line: Line) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + PROMPT_TIMEOUT_S
        while line.voiced_frames < _PROMPT_BEGUN_FRAMES and loop.time() < until:
            await any_set(0.05, meeting.call.ended)
        await any_set(self._plan.think_s, meeting.call.ended)

    async def _press(self, meeting: Meeting, line: Line, key: str) -> None:
        if meeting.call.ended.is_set():
            return
        await line.press(key)
        meeting.truth.keys.append(Pressed(key, self._world.now()))
        self._report("presses", key)

    async def _enter_queue(self, meeting: Meeting, line: Line) -> None:
        plan = self._plan
        key = plan.key or MENU_KEYS[plan.topic]
        if plan.script is Script.WRONG_KEY:
            await self._choose(meeting, line, WRONG_KEY)
            await any_set(_AFTER_WRONG_KEY_S, meeting.call.ended)
            await self._press(meeting, line, key)
        else:
            await self._choose(meeting, line, key)
        if plan.account:
            await any_set(_ACCOUNT_PROMPT_S, meeting.call.ended)
            for digit in f"{plan.account}#":
                await any_set(self._rng.uniform(*_BETWEEN_DIGITS_S), meeting.call.ended)
                await self._press(meeting, line, digit)
        if not meeting.call.ended.is_set():
            meeting.truth.enter(plan.queue or str(plan.topic), self._world.now())

    async def _ask_for_callback(self, meeting: Meeting, line: Line) -> None:
        """Wait a while in the queue, then ask to be called back; talk where an agent came first."""
        assert self._plan.callback is not None
        await any_set(self._plan.patience_s, meeting.joined, meeting.call.ended)
        await meeting.settled()
        if not await asking.keep_place(self._world, meeting, line, self._plan.callback):
            await self._wait_and_talk(meeting)

    async def _leave_queue(self, meeting: Meeting, line: Line) -> None:
        """Wait until the queue lets go, or press its key for being called back."""
        match self._plan.script:
            case Script.CALLBACK:
                await any_set(self._plan.patience_s, meeting.joined, meeting.call.ended)
                await meeting.settled()
                if meeting.joined.is_set():
                    await self._wait_and_talk(meeting)
                    return
                meeting.truth.leave("callback", self._world.now())
                await self._press(meeting, line, CALLBACK_KEY)
            case Script.TURNED_AWAY:
                meeting.truth.leave("full", self._world.now())
        await any_set(self._plan.patience_s + HOURS_TIMEOUT_S, meeting.call.ended)

    async def _wait_and_talk(self, meeting: Meeting) -> None:
        patience_s = self._plan.patience_s
        while not meeting.over and not meeting.call.ended.is_set():
            if not await any_set(patience_s, meeting.joined, meeting.call.ended):
                await meeting.settled()
                if not meeting.joined.is_set():
                    self._report("gives up")
                    return
            patience_s = self._plan.patience_later_s
            if meeting.joined.is_set():
                await any_set(CONVERSATION_TIMEOUT_S, meeting.parted)
                meeting.parted.clear()
        if meeting.truth.parted_at is not None and meeting.truth.ended_at is None:
            await take_survey(self._world, meeting)

    async def _leave_message(self, meeting: Meeting, line: Line) -> None:
        plan, world = self._plan, self._world
        sentences = [await world.bank.get(planned.turn.text, plan.voice) for planned in plan.turns]
        if not await self._beep(meeting, line):
            meeting.truth.problems.append("no beep was heard")
        for planned, sentence in zip(plan.turns, sentences, strict=True):
            if await any_set(planned.gap_s, meeting.call.ended):
                return
            saying = line.say(sentence)
            meeting.truth.message_left = True
            self._report("says", sentence.text)
            await any_set(sentence.duration_s + 5, saying.done, meeting.call.ended)
            if saying.first_frame is not None:
                begun = world.epoch + line.time_of(saying.first_frame)
                ended = world.epoch + line.time_of(saying.first_frame + saying.sent)
                meeting.truth.said.append(Said("caller", sentence.text, begun, ended, saying.complete))
        await any_set(0.5, meeting.call.ended)

    async def _beep(self, meeting: Meeting, line: Line) -> bool:
        """Wait for the beep to be over; false when there is none, but a prompt and then a long silence."""
        loop = asyncio.get_running_loop()
        until, before = loop.time() + BEEP_TIMEOUT_S, line.voiced_frames
        beeping = False
        while loop.time() < until and not await any_set(0.05, meeting.call.ended):
            if ears.is_tone(line.heard_last(_LISTEN_S)):
                beeping = True
            elif beeping:
                return True
            heard_prompt = line.voiced_frames - before > _MESSAGE_HEARD_FRAMES
            if heard_prompt and line.quiet_frames > _LONG_QUIET_FRAMES:
                return False
        return False
