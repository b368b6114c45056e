"""From a checkpoint to a folder that ``faster_whisper.WhisperModel`` loads: CTranslate2, int8.

``ctranslate2.specs.whisper_spec`` is filled directly, so nothing of Hugging Face's is needed. Beside the
weights lie the vocabulary, the features' parameters, samples of the sentences, and all words.
"""

import json
import random
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from ctranslate2.specs import whisper_spec
from tokenizers import Tokenizer

from callcenter.simulator.grammar import sentence
from training.channel import MELS
from training.model import Attention, Layer, Size, SpeechModel
from training.text import words
from training.tokens import Tokens

MAX_BYTES = 10_000_000
_SENTENCES = 400
_FILES = ("model.bin", "config.json", "vocabulary.json", "tokenizer.json", "preprocessor_config.json")
_PREPROCESSOR = {
    "chunk_length": 30,
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": MELS,
    "hop_length": 160,
    "n_fft": 400,
    "n_samples": 480000,
    "nb_max_frames": 3000,
    "padding_side": "right",
    "padding_value": 0.0,
    "processor_class": "WhisperProcessor",
    "return_attention_mask": False,
    "sampling_rate": 16000,
}


def export(checkpoint: Path, folder: Path) -> int:
    """Write the model of ``checkpoint`` into ``folder``; returns the size of what it wrote.

    Raises ``FileNotFoundError`` where there is no checkpoint, ``ValueError`` for a model of 10 MB or more.
    """
    state = torch.load(checkpoint, weights_only=True)
    model = SpeechModel(Size(**state["size"]))
    model.load_state_dict(state["model"])
    tokens = Tokens(Tokenizer.from_str(state["tokenizer"]))
    folder.mkdir(parents=True, exist_ok=True)
    spec = _spec(model, tokens)
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
    tokens.tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps(_PREPROCESSOR, indent=2) + "\n")
    _write_samples(folder)
    size = sum((folder / name).stat().st_size for name in _FILES)
    if size >= MAX_BYTES:
        raise ValueError(f"the model has {size} bytes")
    return size


def _write_samples(folder: Path) -> None:
    rng = random.Random(7)
    drawn = islice(iter(lambda: sentence(rng), ""), _SENTENCES)
    (folder / "sentences.txt").write_text("\n".join(drawn) + "\n")
    known = {word for text in words() for word in re.findall(r"[a-z']+", text.lower())}
    (folder / "vocabulary.txt").write_text("\n".join(sorted(known)) + "\n")


def _spec(model: SpeechModel, tokens: Tokens) -> Any:
    size = model.size
    spec = whisper_spec.WhisperSpec(size.encoder_layers, size.heads, size.decoder_layers, size.heads)
    encoder, decoder = spec.encoder, spec.decoder
    for target, source in ((encoder.conv1, model.encoder.stem_1), (encoder.conv2, model.encoder.stem_2)):
        target.weight, target.bias = _array(source.weight), _array(source.bias)
    encoder.position_encodings.encodings = _array(model.encoder.positions)
    _norm(encoder.layer_norm, model.encoder.norm)
    decoder.embeddings.weight = decoder.projection.weight = _array(model.decoder.embeddings())
    decoder.position_encodings.encodings = _array(model.decoder.positions)
    _norm(decoder.layer_norm, model.decoder.norm)
    for target, layer in zip(encoder.layer, model.encoder.layers, strict=True):
        _layer(target, layer)
    for target, layer in zip(decoder.layer, model.decoder.layers, strict=True):
        _layer(target, layer)
        _norm(target.attention.layer_norm, layer.cross_norm)
        _attention(target.attention.linear, layer.cross, joined=1)
    spec.register_vocabulary(tokens.vocabulary())
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [tokens.id_of_token("Ġ")]
    spec.config.lang_ids = [tokens.id_of("en")]
    spec.config.alignment_heads = [[size.decoder_layers - 1, 0]]
    return spec


def _layer(target: Any, layer: Layer) -> None:
    _norm(target.self_attention.layer_norm, layer.own_norm)
    _attention(target.self_attention.linear, layer.own, joined=0)
    _norm(target.ffn.layer_norm, layer.norm)
    _linear(target.ffn.linear_0, [layer.wide])
    _linear(target.ffn.linear_1, [layer.narrow])


def _attention(targets: Sequence[Any], attention: Attention, joined: int) -> None:
    """Query, key and value in one matrix, or (``joined`` is 1) the query by itself; then the output."""
    projections = [attention.query, attention.key, attention.value]
    if joined:
        _linear(targets[0], projections[:joined])
    _linear(targets[joined], projections[joined:])
    _linear(targets[-1], [attention.out])


def _linear(target: Any, layers: Sequence[torch.nn.Linear]) -> None:
    target.weight = _array(torch.cat([layer.weight for layer in layers]))
    biases = [torch.zeros(len(layer.weight)) if layer.bias is None else layer.bias for layer in layers]
    target.bias = _array(torch.cat(biases))


def _norm(target: Any, norm: torch.nn.LayerNorm) -> None:
    target.gamma, target.beta = _array(norm.weight), _array(norm.bias)


def _array(values: torch.Tensor) -> Any:
    return values.detach().float().contiguous().numpy()
