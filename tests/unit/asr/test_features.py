"""Our front end gives the figures of the one that Whisper models were made with."""

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from asr.features import doubled, log_mel


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("samples", [1600, 15_999, 48_000])
def test_same_spectrogram(mels: int, samples: int) -> None:
    sound = (np.random.default_rng(2).standard_normal(samples) * 0.1).astype(np.float32)
    reference = FeatureExtractor(feature_size=mels)
    ours = log_mel(sound, reference.mel_filters)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, reference(sound), atol=1e-5)


def test_doubling_interpolates() -> None:
    at = np.arange(1600) / 8000
    out = doubled(np.sin(2 * np.pi * 1000 * at).astype(np.float32))
    want = np.sin(2 * np.pi * 1000 * np.arange(3200) / 16_000)
    assert np.abs(out - want)[64:-64].max() < 0.002
