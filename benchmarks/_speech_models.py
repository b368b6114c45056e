"""Whisper models of the usual shapes without their weights, which cannot be fetched everywhere.

All weights are random, so what they compute costs what it costs in OpenAI's ``tiny.en`` and ``base.en``.
One thing is not left to chance: whatever they hear, they say the same twelve words and stop. So every system
decodes the same number of tokens, and nobody's guards against nonsense find anything. That comes from the
decoder's positions, each of which has a dimension of its own that outweighs the random rest and asks for
one token.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import whisper_spec
from numpy.typing import NDArray

from asr.whisper import BUNDLED_MODEL

BUNDLED = Path(__file__).parent.parent / "asr" / "models" / BUNDLED_MODEL
WORDS = 12
_TEXT_TOKENS = 50257
_VOCABULARY = 51864
"""Of the English models: text, 106 control tokens (98 of other languages), 1501 time stamps."""

_POSITIONS = 448
_MELS, _KERNEL, _CONTEXT = 80, 3, 1500
_WEIGHT = 0.02
_LOUD = 20.0

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of an encoder, which is that of its decoder."""

    width: int
    layers: int
    heads: int


SHAPES = {"tiny": Shape(384, 4, 6), "base": Shape(512, 6, 8)}


def random_model(shape: Shape, folder: Path, languages: Sequence[str] = ("en",)) -> Path:
    """Write a model for CTranslate2 and faster-whisper into ``folder``, int8; takes a few seconds.

    With more than one language it is a multilingual one, to which all sounds are alike.
    """
    folder.mkdir(parents=True)
    tokens = _vocabulary(languages)
    rng = np.random.default_rng(5)
    spec = whisper_spec.WhisperSpec(shape.layers, shape.heads, shape.layers, shape.heads)
    _encoder(spec.encoder, shape, rng)
    _decoder(spec.decoder, shape, rng, _recital(tokens))
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [tokens.index("Ġ")]
    spec.config.lang_ids = [tokens.index(f"<|{code}|>") for code in languages]
    spec.config.alignment_heads = [[shape.layers - 1, 0]]
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(tokens)))
    name = "preprocessor_config.json"
    (folder / name).write_text((BUNDLED / name).read_text())
    return folder


def _vocabulary(languages: Sequence[str]) -> list[str]:
    """The bundled model's tokens, filled up to Whisper's number with ones that are never used.

    CTranslate2 knows a multilingual model by the empty token.
    """
    bundled: list[str] = json.loads((BUNDLED / "vocabulary.json").read_text())
    end = bundled.index("<|endoftext|>")
    text, controls = bundled[:end], bundled[end:]
    text += [f"unused{number}" for number in range(_TEXT_TOKENS - len(text))]
    if len(languages) > 1:
        text[-1] = ""
    others = [f"<|{code}|>" for code in languages[1:]]
    count = _VOCABULARY - len(text) - len(controls) - len(others)
    others += [f"<|unused{number}|>" for number in range(count)]
    after_start = controls.index("<|en|>") + 1
    return [*text, *controls[:after_start], *others, *controls[after_start:]]


def _tokenizer(tokens: Sequence[str]) -> dict[str, Any]:
    """The bundled model's ``tokenizer.json`` for the longer vocabulary."""
    content: dict[str, Any] = json.loads((BUNDLED / "tokenizer.json").read_text())
    content["model"]["vocab"] = {token: index for index, token in enumerate(tokens[:_TEXT_TOKENS])}
    added = {one["content"]: one for one in content["added_tokens"]}
    pattern = added["<|endoftext|>"]
    content["added_tokens"] = [
        {**added.get(token, pattern), "id": _TEXT_TOKENS + index, "content": token}
        for index, token in enumerate(tokens[_TEXT_TOKENS:])
    ]
    return content


def _recital(tokens: Sequence[str]) -> list[int]:
    """What is said: ``WORDS`` different words of the bundled model, and the end."""
    known = [token for token in tokens if token.startswith("Ġ") and token[1:].isalpha() and len(token) > 4]
    words = known[:: len(known) // WORDS][:WORDS]
    return [tokens.index(word) for word in [*words, "<|endoftext|>"]]


def _encoder(encoder: Any, shape: Shape, rng: np.random.Generator) -> None:
    width = shape.width
    encoder.conv1.weight, encoder.conv1.bias = _random(rng, width, _MELS, _KERNEL), _zeros(width)
    encoder.conv2.weight, encoder.conv2.bias = _random(rng, width, width, _KERNEL), _zeros(width)
    encoder.position_encodings.encodings = _sinusoids(_CONTEXT, width)
    _norm(encoder.layer_norm, width)
    for layer in encoder.layer:
        _layer(layer, width, rng)


def _decoder(decoder: Any, shape: Shape, rng: np.random.Generator, recital: Sequence[int]) -> None:
    """Position 0 is the start of the transcript; what stands at 1 is followed by the first word."""
    width = shape.width
    decoder.embeddings.weight = _random(rng, _VOCABULARY, width)
    positions, projection = _random(rng, _POSITIONS, width), _random(rng, _VOCABULARY, width)
    for position in range(1, _POSITIONS):
        dimension = min(position - 1, len(recital) - 1)
        positions[position, dimension] = _LOUD
    for dimension, token in enumerate(recital):
        projection[token, dimension] = _LOUD / math.sqrt(width)
    decoder.position_encodings.encodings, decoder.projection.weight = positions, projection
    _norm(decoder.layer_norm, width)
    for layer in decoder.layer:
        _layer(layer, width, rng)
        _norm(layer.attention.layer_norm, width)
        query, both, out = layer.attention.linear
        for linear, rows in ((query, width), (both, 2 * width), (out, width)):
            _linear(linear, rows, width, rng)


def _layer(layer: Any, width: int, rng: np.random.Generator) -> None:
    _norm(layer.self_attention.layer_norm, width)
    joined, out = layer.self_attention.linear
    _linear(joined, 3 * width, width, rng)
    _linear(out, width, width, rng)
    _norm(layer.ffn.layer_norm, width)
    _linear(layer.ffn.linear_0, 4 * width, width, rng)
    _linear(layer.ffn.linear_1, width, 4 * width, rng)


def _linear(linear: Any, rows: int, columns: int, rng: np.random.Generator) -> None:
    linear.weight, linear.bias = _random(rng, rows, columns), _zeros(rows)


def _norm(norm: Any, width: int) -> None:
    norm.gamma, norm.beta = np.ones(width, np.float32), _zeros(width)


def _random(rng: np.random.Generator, *size: int) -> Array:
    drawn: Array = rng.standard_normal(size, np.float32) * np.float32(_WEIGHT)
    return drawn


def _zeros(count: int) -> Array:
    return np.zeros(count, np.float32)


def _sinusoids(length: int, width: int) -> Array:
    rates = np.exp(-math.log(10000) / (width // 2 - 1) * np.arange(width // 2))
    angles = np.arange(length)[:, None] * rates[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
