"""What the model is shown: windows of one or several turns, or of something that is not speech.

A window is mixed from stored spectrograms, so it costs next to nothing: levels, gaps, a noise floor, music
behind the voice, holes. Its length is one of a few, most of them short, so that the model needs no padding
to 30 s; and the kernels need not be made anew for every length.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.channel import FRAMES_PER_S, MELS, Mel, added, normalised
from training.examples import PAUSE, Example, until
from training.tokens import TIMESTAMP_S, TIMESTAMPS, Tokens

IGNORED = -100
MAX_TOKENS = 448
NON_SPEECH_SHARE, BACKGROUND_SHARE, PROMPT_SHARE, TIMESTAMP_SHARE = 0.16, 0.1, 0.1, 0.5
INTERRUPTED_SHARE = 0.12
"""Of the windows with one turn, how many end while somebody speaks: such are the windows of live words."""

_SILENT = -10.0
_NOWHERE = (-1.0, -1.0)
_LAST_INITIAL_TIMESTAMP = 50
_TURN_TOKENS_MAX = 400
_LENGTH_STEP = 32


@dataclass(frozen=True, slots=True)
class Form:
    """Length of a window in frames, of the shortest first turn in it, and how many turns it may have."""

    frames: int
    shortest: int
    turns: int


SHORT = (Form(240, 0, 1), Form(400, 190, 1), Form(640, 330, 1))
MIDDLE = (Form(1000, 0, 4), Form(1600, 0, 6))
LONG = (Form(3000, 0, 12),)
_SHORT_SHARES = (0.35, 0.35, 0.3)


@dataclass(frozen=True, slots=True)
class Turn:
    """An utterance in a window, ``at`` frames from its start."""

    at: int
    example: Example


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows together: features (windows, frames, mels); tokens, targets (windows, tokens), targets of
    -100 do not count; guides (windows, tokens, 2), the seconds to look at for the target, or -1; labels
    (windows, frames / 2).
    """

    features: NDArray[np.float32]
    tokens: NDArray[np.int64]
    targets: NDArray[np.int64]
    guides: NDArray[np.float32]
    phonemes: NDArray[np.int64]
    words: NDArray[np.int64]


@dataclass(slots=True)
class Row:
    """The decoder's side of a window: at each place the token read, the token to say, where to look."""

    tokens: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    guides: list[tuple[float, float]] = field(default_factory=list)

    def read(self, token: int) -> None:
        """A token that is given."""
        self.tokens.append(token)
        self.targets.append(IGNORED)
        self.guides.append(_NOWHERE)

    def say(self, token: int, guide: tuple[float, float] | None = None) -> None:
        """A token to be said next, heard within the seconds ``guide``."""
        self.targets[-1] = token
        self.guides[-1] = guide or _NOWHERE
        self.read(token)


class Windows:
    """An endless supply of batches, drawn from ``examples`` and from spectrograms without speech."""

    def __init__(
        self,
        examples: Sequence[Example],
        others: Sequence[NDArray[np.float16]],
        tokens: Tokens,
        rng: np.random.Generator,
    ) -> None:
        self._rng, self._tokens, self._others = rng, tokens, others
        self._examples = sorted(examples, key=lambda example: len(example.mel))
        self._lengths = np.array([len(example.mel) for example in self._examples])

    def batch(self, shares: tuple[float, float, float], frames: int) -> Batch:
        """Windows of one form, about ``frames`` in all; ``shares`` are those of short, middle, long ones."""
        match int(self._rng.choice(3, p=shares)):
            case 0:
                form = SHORT[self._rng.choice(len(SHORT), p=_SHORT_SHARES)]
            case 1:
                form = MIDDLE[self._rng.integers(len(MIDDLE))]
            case _:
                form = LONG[0]
        return self._batch(form, max(2, frames // form.frames))

    def _batch(self, form: Form, count: int) -> Batch:
        features = np.zeros((count, form.frames, MELS), np.float32)
        phonemes = np.full((count, form.frames // 2), PAUSE, np.int64)
        words = np.full((count, form.frames // 2), self._tokens.end, np.int64)
        rows: list[Row] = []
        for index in range(count):
            mel, turns = self.window(form)
            features[index, : len(mel)] = mel
            for turn in turns:
                at = slice(turn.at // 2, turn.at // 2 + len(turn.example.words))
                phonemes[index, at], words[index, at] = turn.example.phonemes, turn.example.words
            rows.append(self.row(turns))
        return Batch(features, *_stacked(rows, self._tokens.end), phonemes, words)

    def window(self, form: Form) -> tuple[Mel, list[Turn]]:
        """Features of at most ``form.frames`` and the turns in them; no turns where there is no speech."""
        if self._rng.random() < NON_SPEECH_SHARE:
            mel = self._other(int(self._rng.uniform(50, form.frames)))
            return normalised(mel + self._rng.normal(0, 0.5)), []
        turns, length = self._turns(form)
        mel = self._mixed(turns, length)
        if self._rng.random() < BACKGROUND_SHARE:
            other = self._other(length)
            mel = added(mel, other - other.max() + mel.max() - self._rng.uniform(1.3, 3.5))
        elif self._rng.random() < 0.2:
            mel = added(mel, self._floor(length, mel.max() - self._rng.uniform(2.0, 4.0)))
        mel = normalised(mel)
        if self._rng.random() < 0.3:
            self._cut_holes(mel)
        return mel, turns

    def _turns(self, form: Form) -> tuple[list[Turn], int]:
        """Turns one after the other, and the length of the window in frames."""
        rng = self._rng
        most = 1 if form.turns == 1 or rng.random() < 0.4 else int(rng.integers(2, form.turns + 1))
        low, high = np.searchsorted(self._lengths, (form.shortest, form.frames - 2))
        turns: list[Turn] = []
        interrupted = most == 1 and rng.random() < INTERRUPTED_SHARE
        at = _even(rng.choice((0, rng.uniform(0, 30), rng.uniform(0, 100), rng.uniform(0, 250))))
        count = 0
        for _ in range(most):
            chosen = self._examples[rng.integers(low, max(high, low + 1))]
            if interrupted:
                chosen = until(chosen, _even(len(chosen.mel) * rng.uniform(0.2, 1))) or chosen
            length = len(chosen.mel)
            if not turns:
                at = min(at, _even(form.frames - length))
            elif at + length > form.frames or count + len(chosen.ids) > _TURN_TOKENS_MAX:
                break
            turns.append(Turn(at, chosen))
            count += len(chosen.ids) + 2
            at += length + _even(rng.choice((rng.uniform(5, 60), rng.uniform(20, 250))))
        end = turns[-1].at + len(turns[-1].example.mel)
        tail = 0 if interrupted else rng.choice((0, rng.uniform(0, 40), rng.uniform(0, 200)))
        return turns, min(end + _even(tail), form.frames)

    def _mixed(self, turns: list[Turn], length: int) -> Mel:
        """The turns at about one level, between them silence, a noise floor or something else."""
        rng = self._rng
        floor = rng.uniform(-9.5, -4.5)
        mel = (
            self._floor(length, floor)
            if rng.random() < 0.75
            else np.full((length, MELS), _SILENT, np.float32)
        )
        gain = rng.normal(0, 0.4)
        for turn, following in zip(turns, [*turns[1:], None], strict=True):
            end = turn.at + len(turn.example.mel)
            own = turn.example.mel.astype(np.float32) + np.float32(gain + rng.normal(0, 0.15))
            np.maximum(mel[turn.at : end], own, out=mel[turn.at : end])
            gap = (following.at if following else length) - end
            if gap > 20 and rng.random() < 0.12:
                mel[end : end + gap] = np.maximum(mel[end : end + gap], self._other(gap))
        return mel

    def _floor(self, length: int, level: float) -> Mel:
        """Steady noise of any colour."""
        tilt = np.linspace(0, self._rng.uniform(-2.5, 0.5), MELS)
        noise = self._rng.standard_normal((length, MELS), dtype=np.float32)
        floor: Mel = noise * np.float32(0.25) + (level + tilt).astype(np.float32)
        return np.maximum(floor, np.float32(_SILENT), out=floor)

    def _other(self, length: int) -> Mel:
        """``length`` frames that are not speech."""
        parts: list[Mel] = []
        while (missing := length - sum(map(len, parts))) > 0:
            clip = self._others[int(self._rng.integers(len(self._others)))]
            start = int(self._rng.integers(0, max(len(clip) - missing, 0) + 1))
            parts.append(clip[start : start + missing].astype(np.float32))
        return np.concatenate(parts)

    def _cut_holes(self, mel: Mel) -> None:
        """SpecAugment: two bands and a moment are set to the mean."""
        mean = mel.mean()
        for _ in range(2):
            low = int(self._rng.integers(0, MELS - 8))
            mel[:, low : low + int(self._rng.integers(1, 9))] = mean
        at = int(self._rng.integers(0, len(mel)))
        mel[at : at + int(self._rng.integers(1, 10))] = mean

    def row(self, turns: list[Turn]) -> Row:
        """What the decoder reads and shall say for a window with these turns."""
        tokens = self._tokens
        stamped = bool(self._rng.random() < TIMESTAMP_SHARE)
        row = Row()
        if self._rng.random() < PROMPT_SHARE:
            row.read(tokens.id_of("startofprev"))
            for token in self._examples[self._rng.integers(len(self._examples))].ids:
                row.read(int(token))
        row.read(tokens.id_of("startoftranscript"))
        if not turns:
            row.targets[-1] = tokens.id_of("nospeech")
            stamp = tokens.first_timestamp + int(self._rng.integers(_LAST_INITIAL_TIMESTAMP))
            row.read(stamp if stamped else tokens.id_of("notimestamps"))
            row.say(tokens.end)
            return row
        if not stamped:
            row.read(tokens.id_of("notimestamps"))
        for number, turn in enumerate(turns):
            self._say_turn(row, turn, stamped, first=number == 0)
        row.say(tokens.end)
        return row

    def _say_turn(self, row: Row, turn: Turn, stamped: bool, first: bool) -> None:
        example, at_s = turn.example, turn.at / FRAMES_PER_S
        if stamped:
            start_s = at_s + example.start_s
            latest = _LAST_INITIAL_TIMESTAMP if first else TIMESTAMPS - 1
            row.say(self._stamp(start_s, latest), (start_s - 0.06, start_s + 0.1))
        for token, (start_s, end_s) in zip(example.ids, example.spans, strict=True):
            row.say(int(token), (at_s + start_s - 0.02, at_s + end_s + 0.02))
        if stamped:
            end_s = at_s + example.end_s
            row.say(self._stamp(end_s, TIMESTAMPS - 1), (end_s - 0.1, end_s + 0.06))

    def _stamp(self, at_s: float, latest: int) -> int:
        return self._tokens.first_timestamp + min(max(round(at_s / TIMESTAMP_S), 0), latest)


def _even(frames: float) -> int:
    """An even number of frames: turns begin with a frame of the encoder."""
    return max(int(frames), 0) // 2 * 2


def _stacked(
    rows: list[Row], filler: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Tokens, targets and guides of all rows, filled up to a common length."""
    longest = max(len(row.tokens) for row in rows)
    length = min(longest + -longest % _LENGTH_STEP, MAX_TOKENS)
    tokens = np.full((len(rows), length), filler, np.int64)
    targets = np.full((len(rows), length), IGNORED, np.int64)
    guides = np.full((len(rows), length, 2), -1.0, np.float32)
    for index, row in enumerate(rows):
        count = min(len(row.tokens), length)
        tokens[index, :count] = row.tokens[:count]
        targets[index, :count] = row.targets[:count]
        guides[index, :count] = row.guides[:count]
    return tokens, targets, guides
