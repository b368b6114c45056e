"""The training material on disk: spectrograms with texts and times, in shards made one by one.

A shard is ``NAME.mel`` (float16 logarithmic mel power, 80 a frame of 10 ms) and ``NAME.json`` (what is in
it). Its content depends on its number alone (but for the breath of some of espeak-ng's voices), so shards can
be made in any order, by any number of processes, in several sittings.
"""

import json
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from training import channel, nonspeech
from training.speech import TimedWord, Utterance, at_rate, say, training_voice
from training.text import training_texts

UTTERANCES_A_SHARD = 1000
CLIPS_A_SHARD = 200
CLIP_FRAMES = 1200
_FRAMES_MIN, _FRAMES_MAX = 20, 1400
_WIDE_BAND_SHARE = 0.12
_WIDE_HZ = 16000


@dataclass(frozen=True, slots=True)
class Recorded:
    """An utterance of a shard: where its frames are, what was said when."""

    text: str
    first_frame: int
    frames: int
    words: tuple[TimedWord, ...]
    phonemes: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """Spectrogram (frames, 80) of all utterances one after the other, and the list of them."""

    mel: NDArray[np.float16]
    utterances: tuple[Recorded, ...]


def mel_filters() -> NDArray[np.float32]:
    """Whisper's filter bank for 16 kHz, (80, 201)."""
    return np.asarray(FeatureExtractor.get_mel_filters(_WIDE_HZ, 400, channel.MELS), np.float32)


def make(folder: Path, speech_shards: int, other_shards: int, workers: int, size: int | None = None) -> int:
    """Make the shards that are not there yet and return how many that were.

    ``size`` is the number of utterances in a shard of speech.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(f"speech-{number:03}", number) for number in range(speech_shards)]
    wanted += [(f"other-{number:03}", number) for number in range(other_shards)]
    missing = [(name, number) for name, number in wanted if not (folder / f"{name}.json").exists()]
    with ProcessPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(_make_shard, folder, name, number, size or UTTERANCES_A_SHARD)
            for name, number in missing
        ]
        for job in jobs:
            job.result()
    return len(missing)


def _make_shard(folder: Path, name: str, number: int, size: int) -> None:
    filters = mel_filters()
    if name.startswith("speech"):
        _make_speech(folder / name, number, size, filters)
    else:
        rng = np.random.default_rng([number, 2])
        count = CLIP_FRAMES * channel.RATE_HZ // channel.FRAMES_PER_S
        clips = min(CLIPS_A_SHARD, size)
        mels = [channel.loudness(nonspeech.clip(count, rng), filters) for _ in range(clips)]
        _store(folder / name, [mel[:CLIP_FRAMES] for mel in mels], [{} for _ in mels])


def _make_speech(path: Path, number: int, size: int, filters: NDArray[np.float32]) -> None:
    draw, rng = random.Random(f"speech {number}"), np.random.default_rng([number, 1])
    texts = training_texts(draw)
    mels: list[channel.Mel] = []
    entries: list[dict[str, object]] = []
    while len(mels) < size:
        utterance = say(next(texts), training_voice(draw), draw)
        mel = _heard(utterance, rng, filters)
        if _FRAMES_MIN < len(mel) < _FRAMES_MAX:
            mels.append(mel)
            entries.append(_entry(utterance))
    _store(path, mels, entries)


def _heard(utterance: Utterance, rng: np.random.Generator, filters: NDArray[np.float32]) -> channel.Mel:
    if rng.random() < _WIDE_BAND_SHARE:
        sound = at_rate(utterance.pcm16, utterance.rate_hz, _WIDE_HZ)
        return channel.wide_loudness(channel.in_a_room(sound, rng, _WIDE_HZ), filters)
    sound = at_rate(utterance.pcm16, utterance.rate_hz, channel.RATE_HZ)
    return channel.loudness(channel.spoken_channel(sound, rng), filters)


def _entry(utterance: Utterance) -> dict[str, object]:
    times = [(word.start, word.end, round(word.start_s, 3), round(word.end_s, 3)) for word in utterance.words]
    phonemes = [(round(phoneme.start_s, 3), phoneme.name) for phoneme in utterance.phonemes]
    return {"text": utterance.text, "words": times, "phonemes": phonemes}


def _store(path: Path, mels: list[channel.Mel], entries: list[dict[str, object]]) -> None:
    """Write a shard; its list comes last, so that a shard with a list is whole."""
    np.concatenate(mels).astype(np.float16).tofile(path.with_suffix(".mel"))
    listed = [{**entry, "frames": len(mel)} for entry, mel in zip(entries, mels, strict=True)]
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(listed))
    unfinished.rename(path.with_suffix(".json"))


def load(folder: Path, kind: str) -> list[Shard]:
    """All shards of ``speech`` or ``other`` in ``folder``; raises ``FileNotFoundError`` for none."""
    shards = [_load_shard(path) for path in sorted(folder.glob(f"{kind}-*.json"))]
    if not shards:
        raise FileNotFoundError(f"{folder}: no shards of {kind}; run `python -m training data` first")
    return shards


def _load_shard(path: Path) -> Shard:
    mel = np.memmap(path.with_suffix(".mel"), np.float16, "r").reshape(-1, channel.MELS)
    utterances: list[Recorded] = []
    first = 0
    for entry in json.loads(path.read_text()):
        utterances.append(
            Recorded(
                entry.get("text", ""),
                first,
                entry["frames"],
                tuple(TimedWord(*word) for word in entry.get("words", ())),
                tuple((start_s, name) for start_s, name in entry.get("phonemes", ())),
            )
        )
        first += entry["frames"]
    return Shard(mel, tuple(utterances))
