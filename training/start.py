"""Weights to start from: heads that look at their neighbourhood from the first step.

Whisper's heads learn where to look over days. Here the queries and keys of some heads are set so that their
product peaks at a fixed distance: with positions as sines and cosines, sum(cos(w (i + distance - j))) over
the high frequencies w is large where j = i + distance only. The convolutions leave those dimensions free.
These are plain weights; training changes them as it likes.
"""

import math

import torch
from torch import Tensor

from training.model import Attention, SpeechModel, sinusoids

_FREQUENCIES = 32
_POSITION_SCALE = 0.5
_STEM_RMS = 0.7
_NORMED_SQUARE = 0.54
"""Square of a position's amplitude after the layer norm, with the two scales above."""

_PEAK = 8.0
_DECODER_PEAK = 0.6 * _PEAK
_OTHERS = 0.1
_DISTANCES: tuple[tuple[int | None, ...], ...] = ((-4, 4, 0), (-4, 4, None), (-10, 10, None), (-20, 20, None))
"""Of every encoder layer's heads, in frames of 20 ms; ``None`` leaves a head to chance."""

_NEXT_WORD = 14


@torch.no_grad()
def prepare(model: SpeechModel, features: Tensor) -> None:
    """Set the starting weights of ``model``; ``features`` (windows, mels, frames) are any first batch."""
    width = model.size.width
    frequencies = torch.exp(-math.log(10000) / (width // 2 - 1) * torch.arange(_count(model)))
    sines = torch.arange(len(frequencies))
    places = torch.cat([sines, sines + width // 2])
    encoder, layers = model.encoder, model.decoder.layers
    encoder.positions.copy_(sinusoids(len(encoder.positions), width) * _POSITION_SCALE)
    encoder.stem_1.weight *= 2
    encoder.stem_2.weight[places] = 0
    encoder.stem_2.bias[places] = 0
    for layer, distances in zip(encoder.layers, _DISTANCES, strict=False):
        for head, distance in enumerate(distances[: model.size.heads]):
            if distance is not None:
                _look(layer.own, head, distance, _PEAK, frequencies, places)
    _copy_place(layers[0].cross, places)
    _look(layers[-1].cross, 0, _NEXT_WORD, _DECODER_PEAK, frequencies, places)
    _level_stem(model, features)


def _count(model: SpeechModel) -> int:
    return min(_FREQUENCIES, model.size.width // model.size.heads // 2)


def _look(
    attention: Attention, head: int, distance: int, peak: float, frequencies: Tensor, places: Tensor
) -> None:
    """Make ``head`` look ``distance`` frames further."""
    count, size = len(frequencies), attention.query.weight.shape[0] // attention.heads
    sines, cosines = places[:count], places[count:]
    rows = torch.arange(count) + head * size
    gain = math.sqrt(peak * math.sqrt(size) / (count * _NORMED_SQUARE))
    by_sine, by_cosine = torch.sin(frequencies * distance) * gain, torch.cos(frequencies * distance) * gain
    query, key = attention.query.weight, attention.key.weight
    for weight in (query, key):
        weight[head * size : head * size + 2 * count] *= _OTHERS
    attention.query.bias[head * size : (head + 1) * size] = 0
    query[rows, sines] += by_cosine
    query[rows, cosines] += by_sine
    query[rows + count, cosines] += by_cosine
    query[rows + count, sines] -= by_sine
    key[rows, sines] += gain
    key[rows + count, cosines] += gain


def _copy_place(attention: Attention, places: Tensor) -> None:
    """Make the first head pass on the position it looks at, for the last layer to look on from there."""
    rows = torch.arange(len(places))
    attention.value.weight[: len(places)] = 0
    attention.value.bias[: len(places)] = 0
    attention.value.weight[rows, places] = 1
    attention.out.weight[places] *= _OTHERS
    attention.out.weight[:, : len(places)] = 0
    attention.out.weight[places, rows] = 1


def _level_stem(model: SpeechModel, features: Tensor) -> None:
    """Scale the convolutions so that what they hear and where it is weigh about the same."""
    for _ in range(3):
        stem = model.encoder.stem(features)
        heard = stem[:, :, stem.abs().sum((0, 1)) > 0]
        model.encoder.stem_2.weight *= _STEM_RMS / heard.square().mean().sqrt()
