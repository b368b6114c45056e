"""Callers who ask in the queue to be called back, and those who phone in again while they are waiting."""

import asyncio

from callcenter.simulator.callback_plan import CallbackPlan, Doing, Meanwhile
from callcenter.simulator.callback_truth import CallbackTruth
from callcenter.simulator.line import Line
from callcenter.simulator.scenario import CallerPlan
from callcenter.simulator.speaking import Talker
from callcenter.simulator.truth import Pressed
from callcenter.simulator.world import Expecting, Meeting, World, any_set

STANDS = "Thank you. You keep your place, and we will call you back as soon as it is your turn."
PROMPT_TIMEOUT_S = 12.0
_PROMPT_BEGUN_FRAMES = 20
_BETWEEN_DIGITS_S = 0.15
_AFTER_LAST_KEY_S = 0.5
_CONFIRMED_WITHIN_S = 5.0


def expect(world: World, plan: CallerPlan, dialled: str, source: str) -> Expecting:
    """From now on this customer's telephone may ring."""
    assert plan.callback is not None
    truth = CallbackTruth(
        plan.number,
        plan.queue or str(plan.topic),
        world.now(),
        source,
        attempts_max=plan.callback.attempts,
    )
    world.truth.callbacks.append(truth)
    expecting = world.expecting[plan.number] = Expecting(plan, truth, dialled)
    world.report(plan.number, "asks to be called back", call=plan.number)
    return expecting


async def keep_place(world: World, meeting: Meeting, line: Line, plan: CallbackPlan) -> bool:
    """Answer each prompt with a key; false where an agent was found first, or the call ended.

    The callback stands with the last key: from then on the telephone may ring.
    """
    for number, keys in enumerate(plan.keys):
        if number and not await _hears(meeting, line):
            return False
        await any_set(meeting.plan.think_s, meeting.joined, meeting.call.ended)
        if meeting.joined.is_set() or meeting.call.ended.is_set():
            return False
        if number < len(plan.keys) - 1:
            await press(world, meeting, line, keys)
    return await _make_it_stand(world, meeting, line, plan.keys[-1])


async def _make_it_stand(world: World, meeting: Meeting, line: Line, keys: str) -> bool:
    """Press the last key; it stands if the service says so, else an agent was found before it."""
    expecting = expect(world, meeting.plan, meeting.truth.dialled, "ivr")
    await press(world, meeting, line, keys)
    pressed_at = meeting.truth.keys[-1].at
    stands = await Talker(world, meeting, line).hear(STANDS, _CONFIRMED_WITHIN_S)
    if meeting.joined.is_set() or not (stands or meeting.call.ended.is_set()):
        del world.expecting[meeting.plan.number]
        world.truth.callbacks.remove(expecting.truth)
        return False
    meeting.truth.leave("callback", pressed_at)
    expecting.truth.asked_at = pressed_at
    await any_set(_AFTER_LAST_KEY_S, meeting.call.ended)
    return True


async def phone_in(world: World, meeting: Meeting, line: Line, doing: Doing) -> bool:
    """Answer each prompt with a key and go by what was chosen; whether the caller now waits in person.

    The first key is the menu's; then the caller stands in line, is recognised and asked.
    """
    plan, expecting = meeting.plan, world.expecting[meeting.plan.number]
    for number, keys in enumerate(doing.keys):
        if not await _hears(meeting, line):
            meeting.truth.problems.append("no question was heard on phoning in again")
            return False
        await any_set(plan.think_s, meeting.call.ended)
        await press(world, meeting, line, keys)
        if not number:
            meeting.truth.enter(plan.queue or str(plan.topic), world.now())
    match doing.what:
        case Meanwhile.IN_PERSON:
            expecting.end("in_person", world.now())
            return True
        case Meanwhile.CANCEL:
            expecting.end("cancelled", world.now())
        case _:
            meeting.truth.leave("callback", world.now())
    await _hears(meeting, line)
    await any_set(_AFTER_LAST_KEY_S, meeting.call.ended)
    return False


async def press(world: World, meeting: Meeting, line: Line, keys: str) -> None:
    """Press one key after the other."""
    for digit in keys:
        if meeting.call.ended.is_set():
            return
        await line.press(digit)
        meeting.truth.keys.append(Pressed(digit, world.now()))
        world.report(meeting.plan.number, "presses", digit, meeting.plan.number)
        await any_set(_BETWEEN_DIGITS_S, meeting.call.ended)


async def _hears(meeting: Meeting, line: Line) -> bool:
    """Wait for the next prompt; false when an agent or the end comes before, or nothing at all."""
    loop = asyncio.get_running_loop()
    until, before = loop.time() + PROMPT_TIMEOUT_S, line.voiced_frames
    while line.voiced_frames - before < _PROMPT_BEGUN_FRAMES:
        if loop.time() > until or await any_set(0.05, meeting.joined, meeting.call.ended):
            return False
    return True
