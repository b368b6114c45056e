"""A finished model as the start of a new one.

Tokens find their vectors by name, so the vocabulary may have changed; the parts that exist in training only
begin anew.
"""

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.model import Attention, Layer, SpeechModel
from training.tokens import TIMESTAMPS, Tokens
from training.weights import Arrays, read_weights


@torch.no_grad()
def start_from(folder: Path, model: SpeechModel, tokens: Tokens) -> None:
    """Give ``model``, of the same size, the weights of the finished model in ``folder``."""
    arrays = read_weights(folder / "model.bin")
    encoder, decoder = model.encoder, model.decoder
    for number, stem in enumerate((encoder.stem_1, encoder.stem_2), 1):
        _set(stem.weight, arrays[f"encoder/conv{number}/weight"])
        _set(stem.bias, arrays[f"encoder/conv{number}/bias"])
    _set(encoder.positions, arrays["encoder/position_encodings/encodings"])
    _set(decoder.positions, arrays["decoder/position_encodings/encodings"])
    for name, part in (("encoder", encoder), ("decoder", decoder)):
        _norm(part.norm, arrays, f"{name}/layer_norm")
        for number, layer in enumerate(part.layers):
            _layer(layer, arrays, f"{name}/layer_{number}")
    for number, layer in enumerate(decoder.layers):
        _norm(layer.cross_norm, arrays, f"decoder/layer_{number}/attention/layer_norm")
        _attention(layer.cross, arrays, f"decoder/layer_{number}/attention", joined=1)
    _embeddings(model, arrays["decoder/embeddings/weight"], folder, tokens)


def _embeddings(model: SpeechModel, vectors: NDArray[np.float32], folder: Path, tokens: Tokens) -> None:
    known = {
        token: vectors[at] for at, token in enumerate(json.loads((folder / "vocabulary.json").read_text()))
    }
    free = model.decoder.embedding.weight
    for number, token in enumerate(tokens.vocabulary()):
        if token in known:
            free[number] = torch.from_numpy(known[token].copy())
    free[-TIMESTAMPS:] -= model.decoder.scale @ model.decoder.timestamp.weight.T


def _layer(layer: Layer, arrays: Arrays, name: str) -> None:
    _norm(layer.own_norm, arrays, f"{name}/self_attention/layer_norm")
    _attention(layer.own, arrays, f"{name}/self_attention", joined=0)
    _norm(layer.norm, arrays, f"{name}/ffn/layer_norm")
    for linear, part in ((layer.wide, "linear_0"), (layer.narrow, "linear_1")):
        _set(linear.weight, arrays[f"{name}/ffn/{part}/weight"])
        _set(linear.bias, arrays[f"{name}/ffn/{part}/bias"])


def _attention(attention: Attention, arrays: Arrays, name: str, joined: int) -> None:
    projections = [attention.query, attention.key, attention.value]
    groups = [projections[:joined], projections[joined:]] if joined else [projections]
    for number, group in enumerate([*groups, [attention.out]]):
        weights = np.split(arrays[f"{name}/linear_{number}/weight"], len(group))
        biases = np.split(arrays[f"{name}/linear_{number}/bias"], len(group))
        for linear, weight, bias in zip(group, weights, biases, strict=True):
            _set(linear.weight, weight)
            if linear.bias is not None:
                _set(linear.bias, bias)


def _norm(norm: torch.nn.LayerNorm, arrays: Arrays, name: str) -> None:
    _set(norm.weight, arrays[f"{name}/gamma"])
    _set(norm.bias, arrays[f"{name}/beta"])


def _set(weight: torch.Tensor, value: NDArray[np.float32]) -> None:
    weight.copy_(torch.from_numpy(value.copy()))
