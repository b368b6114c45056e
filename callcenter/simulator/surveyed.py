"""A caller whose agent has hung up: the call is over, or a survey comes and is answered by keys."""

import asyncio

from callcenter.simulator.line import Line
from callcenter.simulator.scenario import DECLINE_KEY
from callcenter.simulator.truth import Pressed, Rated
from callcenter.simulator.world import Meeting, World, any_set

SCALES = ("csat", "nps")
"""What the sample flow's survey asks for, in its order."""

WRONG_KEY = "*"
OFFER_TIMEOUT_S = 8.0
QUESTION_TIMEOUT_S = 8.0
END_TIMEOUT_S = 10.0
_BEGUN_FRAMES = 20
_THINK_S = 0.7
_BETWEEN_DIGITS_S = 0.15


async def take_survey(world: World, meeting: Meeting) -> None:
    """Wait for the survey, press what is planned, and hang up when there is nothing more to press.

    A star before the keys is no answer: the question comes once more.
    """
    truth, plan, call = meeting.truth, meeting.plan, meeting.call
    line = call.line
    assert line is not None
    assert truth.parted_at is not None
    if not await _hears(meeting, line, OFFER_TIMEOUT_S):
        if call.ended.is_set():
            truth.ended("agent", truth.parted_at)
        else:
            truth.problems.append("neither a survey nor the end came")
        return
    truth.survey_heard = True
    for number, keys in enumerate(plan.survey):
        if number and not await _hears(meeting, line, QUESTION_TIMEOUT_S):
            truth.problems.append("a question of the survey was not heard")
            return
        if await any_set(_THINK_S, call.ended):
            return
        if keys.startswith(WRONG_KEY):
            await _press(world, meeting, line, WRONG_KEY)
            if not await _hears(meeting, line, QUESTION_TIMEOUT_S) or await any_set(_THINK_S, call.ended):
                return
        answer = keys.removeprefix(WRONG_KEY)
        await _press(world, meeting, line, answer)
        if number:
            truth.ratings.append(Rated(SCALES[number - 1], int(answer)))
    if plan.survey and (len(plan.survey) > len(SCALES) or plan.survey[0] == DECLINE_KEY):
        await any_set(END_TIMEOUT_S, call.ended)


async def _press(world: World, meeting: Meeting, line: Line, keys: str) -> None:
    for digit in keys:
        await line.press(digit)
        meeting.truth.keys.append(Pressed(digit, world.now()))
        world.report(meeting.plan.number, "presses", digit, meeting.plan.number)
        await any_set(_BETWEEN_DIGITS_S, meeting.call.ended)


async def _hears(meeting: Meeting, line: Line, timeout_s: float) -> bool:
    """Wait until a voice is heard; false when the call ends before, or the time is up."""
    loop = asyncio.get_running_loop()
    until, before = loop.time() + timeout_s, line.voiced_frames
    while line.voiced_frames - before < _BEGUN_FRAMES:
        if loop.time() > until or await any_set(0.05, meeting.call.ended):
            return False
    return True
