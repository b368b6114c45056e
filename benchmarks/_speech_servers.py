"""Two ways to serve many legs with one model: this project's, and a thread for each of them."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from _speech_live import Final, Heard, Player, Shown
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from asr import (
    SAMPLE_RATE_HZ,
    Confirmer,
    Endpointer,
    Failure,
    Framer,
    LegSession,
    Listening,
    Partial,
    Recognizer,
    Segment,
    Utterance,
    VoiceDetector,
    Word,
)
from asr.commit import changed
from asr.features import doubled

LANGUAGE = "en"
_PARTIAL_EVERY_MS = 1000


def wide(pcm16: bytes) -> NDArray[np.float32]:
    """PCM16 of 8 kHz as faster-whisper takes sound: 16 kHz, -1 to 1."""
    return doubled(np.frombuffer(pcm16, "<i2").astype(np.float32) / np.float32(32768)).astype(np.float32)


@dataclass(slots=True)
class Ear:
    """Takes note of what a ``LegSession`` says; a ``LegListener``."""

    clock: Callable[[], float]
    seen: Heard = field(default_factory=Heard)
    _stable: dict[int, str] = field(default_factory=dict)

    def heard(self, segment: Segment) -> None:
        """Keep a final, and compare it with what was shown as stable."""
        self.seen.finals.append(Final(self.clock(), segment.start_s, segment.end_s, segment.text))
        self._compare(segment.number, segment.text)

    def hearing(self, partial: Partial) -> None:
        """Keep when something was shown."""
        if partial.stable or partial.volatile:
            self.seen.shown.append(Shown(self.clock(), partial.start_s))
            self._stable[partial.number] = partial.stable
        else:
            self._compare(partial.number, "")

    def timed(self, number: int, words: tuple[Word, ...]) -> None:
        """Nothing is measured of these."""

    def missed(self, failure: Failure) -> None:
        """Count what was lost."""
        self.seen.missed += 1

    def _compare(self, number: int, text: str) -> None:
        others, all_of_them = changed(self._stable.pop(number, ""), text, LANGUAGE)
        self.seen.changed += others
        self.seen.stable += all_of_them


class OneEngine:
    """Ours, as calls use it: a ``LegSession`` for each leg, one engine and one confirmer for all of them."""

    name = "callcenter"

    def __init__(self, engine: Recognizer, confirmer: Confirmer) -> None:
        self._engine = engine
        self._confirmer = confirmer

    async def serve(self, player: Player, patience_s: float) -> list[Heard]:
        """See ``Server``."""
        ears = [
            Ear(lambda number=number: player.clock(number))  # type: ignore[misc]
            for number in range(len(player.legs))
        ]
        sessions = [
            LegSession(self._engine, Listening(LANGUAGE), ear, confirmer=self._confirmer) for ear in ears
        ]
        await player.play(lambda number, pcm16, position: sessions[number].feed(pcm16, position))
        await asyncio.gather(*(session.finish(patience_s) for session in sessions))
        return [ear.seen for ear in ears]


class ThreadPerClient:
    """One shared ``WhisperModel``; each client's thread calls ``transcribe`` as servers around it do.

    The thread collects what its client says, transcribes all of it when the client stops, and once a second
    what there is so far. It finds the end of speech exactly as ours does, without the network that confirms.
    """

    name = "thread per client"

    def __init__(self, model: WhisperModel) -> None:
        self._model = model

    async def serve(self, player: Player, patience_s: float) -> list[Heard]:
        """See ``Server``."""
        clients = [_Client(self._model, player, number) for number in range(len(player.legs))]
        for client in clients:
            client.start()
        await player.play(lambda number, pcm16, position: clients[number].inbox.put((pcm16, position)))
        for client in clients:
            client.inbox.put(None)
        until_s = time.monotonic() + patience_s
        while time.monotonic() < until_s and any(client.is_alive() for client in clients):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        for client in clients:
            client.gives_up = True
        for client in clients:
            await asyncio.to_thread(client.join)
        return [client.seen for client in clients]


class _Client(threading.Thread):
    """One client's thread."""

    def __init__(self, model: WhisperModel, player: Player, number: int) -> None:
        super().__init__(name=f"client {number}")
        self.inbox: queue.SimpleQueue[tuple[bytes, int] | None] = queue.SimpleQueue()
        self.seen = Heard()
        self._model = model
        self._clock: Callable[[], float] = lambda: player.clock(number)
        self._framer, self._endpointer, self._detector = Framer(), Endpointer(), VoiceDetector()
        self._next_partial_ms = _PARTIAL_EVERY_MS
        self.gives_up = False
        """Set when what is being transcribed shall be the last."""

    def run(self) -> None:
        """Until ``None`` comes: take all there is, transcribe what has ended, then what is being said."""
        while (piece := self.inbox.get()) is not None:
            self._take(*piece)
            if self.inbox.empty():
                self._partial()

    def _take(self, pcm16: bytes, position: int) -> None:
        for at, frame in self._framer.push(pcm16, position):
            utterance = self._endpointer.feed(frame, at, self._detector(frame))
            if utterance is not None and not self.gives_up:
                self._next_partial_ms = _PARTIAL_EVERY_MS
                text = self._transcribe(utterance)
                self.seen.finals.append(Final(self._clock(), *_bounds_s(utterance), text))

    def _partial(self) -> None:
        if self._endpointer.length_ms < self._next_partial_ms:
            return
        self._next_partial_ms = self._endpointer.length_ms + _PARTIAL_EVERY_MS
        utterance = self._endpointer.so_far()
        if utterance is not None and self._transcribe(utterance):
            self.seen.shown.append(Shown(self._clock(), _bounds_s(utterance)[0]))

    def _transcribe(self, utterance: Utterance) -> str:
        segments, _ = self._model.transcribe(
            wide(utterance.pcm16), language=LANGUAGE, beam_size=1, condition_on_previous_text=False
        )
        return " ".join(segment.text.strip() for segment in segments)


def _bounds_s(utterance: Utterance) -> tuple[float, float]:
    return utterance.speech_start_sample / SAMPLE_RATE_HZ, utterance.speech_end_sample / SAMPLE_RATE_HZ
