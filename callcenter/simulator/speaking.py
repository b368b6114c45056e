"""Callers who speak to the service's menu: they say it, listen to what comes of it, and go on from there."""

import asyncio
from enum import StrEnum
from functools import cache

import numpy as np

from callcenter.media.espeak import Espeak
from callcenter.media.g711 import pcm16_to_ulaw
from callcenter.media.resample import to_8khz
from callcenter.simulator import ears
from callcenter.simulator.line import Line
from callcenter.simulator.playback import is_voiced
from callcenter.simulator.speech import FRAME_BYTES, RATE_HZ
from callcenter.simulator.truth import Spoken
from callcenter.simulator.world import Meeting, World, any_set

YES = "Yes, please."
TRIES_MAX = 4
_SAY_TIMEOUT_S = 15.0
_QUIET_FRAMES = 10
_QUIET_WITHIN_S = 3.0
_REACTION_WITHIN_S = 8.0
_LISTEN_S = 0.95
_MUSIC_S = 0.6
_LOOK_EVERY_S = 0.02
_LISTEN_EVERY_S, _WINDOW_S = 0.25, 1.6
_LEAD_S = 0.2
"""A prompt may begin with a sound that is too soft to be noticed at once."""

_AUDIBLE = 0.02
MUSIC = ""
"""What is expected of a choice that leads to a queue."""

_CONFIRMATIONS = (
    "Did you say sales? Say yes or press 1, say no or press 2.",
    "Did you ask: When will I get my refund? Say yes or press 1, say no or press 2.",
)
"""How the service's confirmations begin, with whatever they go on."""

_PROMPT_VOICE = ("en-us", 165)


class Reaction(StrEnum):
    """What a caller hears after having said something."""

    TAKEN = "taken"  # music on hold, the next question, or an answer
    CONFIRM = "confirm"  # "Did you say ...?"
    AGAIN = "again"  # the question again
    NOTHING = "nothing"


class Talker:
    """One caller who speaks to the service on ``line``."""

    def __init__(self, world: World, meeting: Meeting, line: Line) -> None:
        self._world = world
        self._meeting = meeting
        self._line = line
        self.reacted_at = 0.0

    async def hear(self, text: str, within_s: float) -> bool:
        """Listen until a prompt begins that says this; false where it does not."""
        loop, opening = asyncio.get_running_loop(), await asyncio.to_thread(_prompt, text)
        until = loop.time() + within_s
        while loop.time() < until and not await self.pause(_LISTEN_EVERY_S):
            if ears.begins_with(opening, self._line.heard_last(_WINDOW_S)):
                return True
        return False

    async def choose(self, text: str, meant: str, expected: str = MUSIC) -> bool:
        """Say what is wanted until it is understood, and confirm it where asked; whether that came about.

        ``meant`` is what the service calls it, ``expected`` the prompt that shows that it was understood.
        ``reacted_at`` is then when the service's reaction began.
        """
        for _ in range(TRIES_MAX):
            spoken = await self.say(text, meant, expected)
            if spoken.reaction is Reaction.CONFIRM:
                confirmed = await self.say(YES, "", expected)
                if confirmed.reaction is Reaction.TAKEN:
                    return True
            elif spoken.reaction is Reaction.TAKEN:
                return True
            if self._is_over:
                return False
            await self.pause(self._meeting.plan.think_s)
        return False

    async def say(self, text: str, meant: str, expected: str = MUSIC) -> Spoken:
        """Say something once and listen to what comes of it."""
        world, plan, line = self._world, self._meeting.plan, self._line
        sentence = await world.bank.get(text, plan.voice)
        spoken = Spoken(text, meant, world.now(), Reaction.NOTHING)
        self._meeting.truth.spoken.append(spoken)
        saying = line.say(sentence)
        world.report(plan.number, "says", text, plan.number)
        await any_set(_SAY_TIMEOUT_S, saying.done, self._meeting.call.ended)
        spoken.reaction = await self._reaction(expected)
        return spoken

    async def hear_out(self, quiet_frames: int, within_s: float) -> None:
        """Listen until nothing has been heard for a while."""
        until = asyncio.get_running_loop().time() + within_s
        while asyncio.get_running_loop().time() < until and self._line.quiet_frames < quiet_frames:
            if await self.pause(_LOOK_EVERY_S):
                return

    async def pause(self, seconds: float) -> bool:
        """Wait; true when the call has ended meanwhile."""
        return await any_set(seconds, self._meeting.call.ended)

    @property
    def _is_over(self) -> bool:
        return self._meeting.call.ended.is_set()

    async def _reaction(self, expected: str) -> Reaction:
        """What the service does next, by ear: first its prompt falls silent, then something begins."""
        loop, line = asyncio.get_running_loop(), self._line
        await self.hear_out(_QUIET_FRAMES, _QUIET_WITHIN_S)
        before, since = line.voiced_frames, loop.time()
        while line.voiced_frames == before:
            if await self.pause(_LOOK_EVERY_S) or loop.time() > since + _REACTION_WITHIN_S:
                return Reaction.NOTHING
        began = since + _first_sound_s(line.heard(since, loop.time()))
        self.reacted_at = self._world.epoch + began
        await any_set(_LISTEN_S, self._meeting.joined, self._meeting.call.ended)
        heard = line.heard(began - _LEAD_S, loop.time())
        if self._meeting.joined.is_set():
            return Reaction.TAKEN
        for confirmation in _CONFIRMATIONS:
            if ears.begins_with(await asyncio.to_thread(_prompt, confirmation), heard):
                return Reaction.CONFIRM
        if expected != MUSIC:
            is_taken = ears.begins_with(await asyncio.to_thread(_prompt, expected), heard)
        else:
            is_taken = ears.is_music(line.heard(began, began + _MUSIC_S))
        return Reaction.TAKEN if is_taken else Reaction.AGAIN


def _first_sound_s(ulaw: bytes) -> float:
    """When the first frame with a sound in it begins."""
    starts = range(0, len(ulaw), FRAME_BYTES)
    return next(
        (at / RATE_HZ for at in starts if is_voiced(ulaw[at : at + FRAME_BYTES])), len(ulaw) / RATE_HZ
    )


@cache
def _prompt(text: str) -> bytes:
    """A prompt as the service's voice says it, from its first sound on; µ-law."""
    voice, rate_wpm = _PROMPT_VOICE
    speech = Espeak().synthesize(text, voice, rate_wpm)
    samples = np.frombuffer(to_8khz(speech.pcm16, speech.rate_hz), "<i2")
    loud = np.flatnonzero(
        np.abs(samples.astype(np.int32)) > _AUDIBLE * np.abs(samples.astype(np.int32)).max()
    )
    return pcm16_to_ulaw(samples[loud[0] :].tobytes())
