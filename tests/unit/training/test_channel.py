import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from asr.features import doubled
from training.channel import (
    RATE_HZ,
    Sound,
    added,
    coloured_noise,
    companded,
    in_band,
    loudness,
    normalised,
    reverberant,
    spoken_channel,
    telephone,
)
from training.corpus import mel_filters
from training.nonspeech import KINDS, clip, house_music, levelled


def tone(hz: float, seconds: float = 0.5) -> Sound:
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def rms(sound: Sound) -> float:
    return float(np.sqrt(np.mean(sound**2)))


@pytest.mark.parametrize(("hz", "kept"), [(100, 0.0), (1000, 1.0), (3900, 0.0)])
def test_the_telephone_carries_its_band_only(hz: float, kept: float) -> None:
    assert rms(in_band(tone(hz), 300, 3400)) / rms(tone(hz)) == pytest.approx(kept, abs=0.06)


@pytest.mark.parametrize("law", ["u", "a"])
def test_companding_adds_a_little_noise_and_clips(law: str) -> None:
    sound = tone(440)
    assert 0.0005 < rms(companded(sound, law) - sound) / rms(sound) < 0.03
    assert np.abs(companded(20 * sound, law)).max() <= 1.0


@pytest.mark.parametrize("count", [1, 7, 4000, 12345])
def test_the_length_is_kept(count: int) -> None:
    rng = np.random.default_rng(1)
    sound = coloured_noise(count, 0.5, rng) * np.float32(0.1)
    assert len(sound) == count
    for changed in (telephone(sound, rng), reverberant(sound, rng), spoken_channel(sound, rng)):
        assert len(changed) == count
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()


def test_silence_stays_without_numbers_that_are_none() -> None:
    silent = spoken_channel(np.zeros(4000, np.float32), np.random.default_rng(3))
    assert np.abs(silent).max() < 1e-3


def test_noise_has_its_colour() -> None:
    def tilt(slope: float) -> float:
        power = np.abs(np.fft.rfft(coloured_noise(80000, slope, np.random.default_rng(2)))) ** 2
        return float(power[: len(power) // 4].mean() / power[-len(power) // 4 :].mean())

    assert tilt(0.0) == pytest.approx(1.0, abs=0.05)
    assert tilt(0.9) > 3 * tilt(0.3) > 3


def test_the_spectrogram_is_that_of_faster_whisper_once_normalised() -> None:
    sound = companded(tone(440) + tone(1330) * np.linspace(0, 1, 4000, dtype=np.float32))
    theirs = FeatureExtractor(feature_size=80)(doubled(sound))
    ours = normalised(loudness(sound, mel_filters())).T
    assert ours.shape == theirs.shape == (80, 51)
    assert np.abs(theirs - ours).max() < 1e-3


def test_two_sounds_add_their_powers() -> None:
    loud, soft = np.full((2, 80), 1.0, np.float32), np.full((2, 80), -3.0, np.float32)
    assert np.allclose(added(loud, loud), 1.0 + np.log10(2))
    assert np.allclose(added(loud, soft), 1.0, atol=1e-3)
    assert np.array_equal(added(loud, soft), added(soft, loud))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "babble"])
def test_other_sounds_differ_and_have_a_level(kind: str) -> None:
    rngs = [np.random.default_rng(seed) for seed in (1, 2)]
    sounds = [levelled(kind, KINDS[kind](8000, rng), rng) for rng in rngs]
    assert all(len(sound) == 8000 and np.isfinite(sound).all() for sound in sounds)
    assert all(rms(sound) < 0.5 for sound in sounds)
    if kind != "silence":
        assert all(rms(sound) > 1e-3 for sound in sounds)
        assert not np.array_equal(*sounds)


def test_the_house_music_starts_anywhere() -> None:
    one, other = (house_music(8000, np.random.default_rng(seed)) for seed in (1, 2))
    assert len(one) == len(other) == 8000
    assert not np.array_equal(one, other)
    assert 0.05 < rms(one) < 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "babble"])
def test_sounds_repeat_with_the_seed(kind: str) -> None:
    """All but voices: the breath of some of espeak-ng's is never twice the same."""
    one, same = (KINDS[kind](4000, np.random.default_rng(9)) for _ in range(2))
    assert np.array_equal(one, same)


def test_clips_are_of_all_kinds() -> None:
    rng = np.random.default_rng(9)
    clips = [clip(4000, rng) for _ in range(20)]
    assert all(len(one) == 4000 for one in clips)
    assert len({one.tobytes() for one in clips}) > 15
