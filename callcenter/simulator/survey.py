"""Callers who are asked how it was, and answer by keys."""

import asyncio

from callcenter.simulator.line import Line
from callcenter.simulator.truth import Answered, Pressed
from callcenter.simulator.world import Meeting, World, any_set

QUESTIONS = ("csat", "nps")
"""What the survey asks, in order."""

WRONG_KEY = "*"
_QUESTION_WITHIN_S = 8.0
_BEGUN_FRAMES = 15
_BETWEEN_DIGITS_S = 0.2
_GOODBYE_S = 20.0


async def answer_survey(world: World, meeting: Meeting, line: Line) -> None:
    """Hear each question begin and press the plan's keys for it; who has none left hangs up.

    A star before the keys is pressed first: it is no answer, and the question comes again.
    """
    truth, plan = meeting.truth, meeting.plan
    truth.surveyed = True
    for kind, keys in zip(QUESTIONS, plan.survey, strict=False):
        if not await _hear_question(meeting, line):
            return
        if keys.startswith(WRONG_KEY):
            await _press(world, meeting, line, WRONG_KEY)
            if not await _hear_question(meeting, line):
                return
        for digit in keys.removeprefix(WRONG_KEY):
            await _press(world, meeting, line, digit)
            await any_set(_BETWEEN_DIGITS_S, meeting.call.ended)
        truth.answers.append(Answered(kind, int(keys.removeprefix(WRONG_KEY))))
    if len(plan.survey) == len(QUESTIONS):
        await any_set(_GOODBYE_S, meeting.call.ended)
    else:
        await _hear_question(meeting, line)


async def _hear_question(meeting: Meeting, line: Line) -> bool:
    """Wait until something is said and think; false where nothing is, or the call has ended."""
    loop, before = asyncio.get_running_loop(), line.voiced_frames
    until = loop.time() + _QUESTION_WITHIN_S
    while line.voiced_frames - before < _BEGUN_FRAMES:
        if loop.time() > until:
            meeting.truth.problems.append("no question of the survey was heard")
            return False
        if await any_set(0.05, meeting.call.ended):
            return False
    return not await any_set(meeting.plan.think_s, meeting.call.ended)


async def _press(world: World, meeting: Meeting, line: Line, digit: str) -> None:
    if not meeting.call.ended.is_set():
        await line.press(digit)
        meeting.truth.keys.append(Pressed(digit, world.now()))
        world.report(meeting.plan.number, "presses", digit, meeting.plan.number)
