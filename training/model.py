"""Whisper's architecture in torch, as small as the task allows, with two ears for training.

Layer by layer what ``ctranslate2.specs.WhisperSpec`` holds (pre-norm, no bias on keys, GELU). Linear layers
that tell phonemes and words of every frame are there in training only. Attention is plain matrix products:
on a CPU their backward pass takes a fifth of the time of the fused kernel's.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.channel import MELS
from training.tokens import TIMESTAMPS
from training.windows import MAX_TOKENS

ENCODER_POSITIONS = 1500
_TIMESTAMP_SCALE = 0.1
_MASKED = -1e4


@dataclass(frozen=True, slots=True)
class Size:
    """Of a model: ``vocabulary`` tokens, of which the first ``words`` (text and the end) label frames."""

    vocabulary: int
    words: int
    phonemes: int
    width: int = 192
    heads: int = 3
    encoder_layers: int = 4
    decoder_layers: int = 2


@dataclass(frozen=True, slots=True)
class Heard:
    """What the model makes of a batch: logits of tokens, of phonemes and of words of frames, and the scores
    of the first cross-attention head of the first and last decoder layer (windows, tokens, frames).
    """

    tokens: Tensor
    phonemes: Tensor
    words: Tensor
    first_look: Tensor
    last_look: Tensor


def sinusoids(length: int, width: int) -> Tensor:
    """Whisper's positions: sines, then cosines of frequencies that fall from 1 to 1/10000."""
    frequencies = torch.exp(-math.log(10000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * frequencies[None]
    return torch.cat([angles.sin(), angles.cos()], 1)


class Attention(nn.Module):
    """Several heads; ``forward`` returns the output and the scores before the softmax."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.value, self.out = (nn.Linear(width, width) for _ in range(3))
        self.key = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Let ``x`` look at ``source``; ``mask`` is added to the scores."""
        query = self._by_head(self.query(x)) * (x.shape[-1] / self.heads) ** -0.5
        scores = query @ self._by_head(self.key(source)).transpose(2, 3)
        if mask is not None:
            scores = scores + mask.to(scores.dtype)
        value = self._by_head(self.value(source))
        with torch.autocast("cpu", enabled=False):
            mixed = scores.softmax(-1) @ value
        return self.out(mixed.transpose(1, 2).reshape(x.shape)), scores

    def _by_head(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


class Layer(nn.Module):
    """Self-attention, for the decoder attention to the encoder, and two linear layers."""

    def __init__(self, width: int, heads: int, looks_at_encoder: bool) -> None:
        super().__init__()
        self.own, self.own_norm = Attention(width, heads), nn.LayerNorm(width)
        if looks_at_encoder:
            self.cross, self.cross_norm = Attention(width, heads), nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, x: Tensor, heard: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Of ``x`` (windows, places, width); the scores are those of looking at ``heard``."""
        scores = None
        normal = self.own_norm(x)
        x = x + self.own(normal, normal, mask)[0]
        if heard is not None:
            looked, scores = self.cross(self.cross_norm(x), heard)
            x = x + looked
        return x + self.narrow(functional.gelu(self.wide(self.norm(x)))), scores


class Encoder(nn.Module):
    """From (windows, mels, frames) to (windows, frames / 2, width), of the middle layer and the last."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.stem_1 = nn.Conv1d(MELS, size.width, 3, padding=1)
        self.stem_2 = nn.Conv1d(size.width, size.width, 3, stride=2, padding=1)
        self.positions = nn.Parameter(sinusoids(ENCODER_POSITIONS, size.width), requires_grad=False)
        self.layers = nn.ModuleList(Layer(size.width, size.heads, False) for _ in range(size.encoder_layers))
        self.norm = nn.LayerNorm(size.width)

    def stem(self, features: Tensor) -> Tensor:
        """The two convolutions, (windows, frames / 2, width)."""
        first = functional.gelu(self.stem_1(features))
        return functional.gelu(self.stem_2(first)).transpose(1, 2)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What the middle layer and the last one hear."""
        x = self.stem(features)
        x = x + self.positions[: x.shape[1]].to(x.dtype)
        middle = x
        for number, layer in enumerate(self.layers, 1):
            x = layer(x)[0]
            if number == max(len(self.layers) // 2, 1):
                middle = x
        return middle, self.norm(x)


class Decoder(nn.Module):
    """From tokens to (windows, tokens, width); time stamps begin as points on the encoder's own scale."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size.vocabulary, size.width)
        nn.init.normal_(self.embedding.weight, std=0.06)
        self.embedding.weight.data[-TIMESTAMPS:] *= 0.1
        self.register_buffer("scale", sinusoids(TIMESTAMPS, size.width) * _TIMESTAMP_SCALE, persistent=False)
        self.timestamp = nn.Linear(size.width, size.width, bias=False)
        nn.init.eye_(self.timestamp.weight)
        self.positions = nn.Parameter(torch.randn(MAX_TOKENS, size.width) * 0.01)
        self.layers = nn.ModuleList(Layer(size.width, size.heads, True) for _ in range(size.decoder_layers))
        self.norm = nn.LayerNorm(size.width)

    def embeddings(self) -> Tensor:
        """One vector a token; they are the output layer, too."""
        free = self.embedding.weight
        scale = self.scale @ self.timestamp.weight.T
        return torch.cat([free[:-TIMESTAMPS], free[-TIMESTAMPS:] + scale])

    def forward(self, tokens: Tensor, heard: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the next tokens, and the scores of the first head of the first and the last layer."""
        embeddings = self.embeddings()
        x = functional.embedding(tokens, embeddings) + self.positions[: tokens.shape[1]]
        mask = torch.full((tokens.shape[1], tokens.shape[1]), _MASKED).triu(1)
        looks: list[Tensor] = []
        for layer in self.layers:
            x, scores = layer(x, heard, mask)
            looks.append(scores[:, 0])
        x = self.norm(x)
        return x @ embeddings.to(x.dtype).T, looks[0], looks[-1]


class SpeechModel(nn.Module):
    """Encoder, decoder, and two linear layers that label frames while it trains."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.encoder, self.decoder = Encoder(size), Decoder(size)
        self.phonemes = nn.Linear(size.width, size.phonemes)
        self.words = nn.Linear(size.width, size.words)

    def forward(self, features: Tensor, tokens: Tensor, word_step: int = 1, word_offset: int = 0) -> Heard:
        """Of features (windows, mels, frames); words are told of every ``word_step``-th frame only."""
        middle, heard = self.encoder(features)
        logits, first_look, last_look = self.decoder(tokens, heard)
        words = self.words(heard[:, word_offset::word_step])
        return Heard(logits, self.phonemes(middle), words, first_look, last_look)
