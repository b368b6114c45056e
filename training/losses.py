"""What the model is taught, and how much each lesson counts.

Besides the text: time stamps with soft targets, phonemes of the middle layer's frames, words of the last
layer's frames, and where the first cross-attention heads look. The exact times of synthesised speech make
the last three possible; they are why minutes of training suffice.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.examples import LABEL_HZ
from training.model import Heard
from training.tokens import TIMESTAMPS
from training.windows import IGNORED

TIMESTAMP_WEIGHT, PHONEME_WEIGHT, WORD_WEIGHT, GUIDE_WEIGHT = 0.5, 0.5, 0.5, 0.3
_FIRST_LOOK_WEIGHT = 0.3
_TIMESTAMP_DEVIATION = 1.5
"""In time stamps of 20 ms."""

_NOT_THERE = -1e4


@dataclass(frozen=True, slots=True)
class Losses:
    """Means over what counts; ``accuracy`` is the share of text tokens that come first."""

    text: Tensor
    timestamps: Tensor
    phonemes: Tensor
    words: Tensor
    guides: Tensor
    accuracy: Tensor

    def figures(self) -> dict[str, float]:
        """All of them by name, without their history."""
        return {name: float(getattr(self, name).detach()) for name in self.__slots__}

    def total(self) -> Tensor:
        """What is minimised."""
        return (
            self.text
            + TIMESTAMP_WEIGHT * self.timestamps
            + PHONEME_WEIGHT * self.phonemes
            + WORD_WEIGHT * self.words
            + GUIDE_WEIGHT * self.guides
        )


def losses(heard: Heard, targets: Tensor, guides: Tensor, phonemes: Tensor, words: Tensor) -> Losses:
    """Compare what was heard with what was said; shapes as in ``windows.Batch``."""
    wanted = targets.flatten()
    counts = wanted != IGNORED
    likelihood = heard.tokens.flatten(0, 1)[counts].float().log_softmax(-1)
    wanted = wanted[counts]
    first_stamp = likelihood.shape[1] - TIMESTAMPS
    stamps = wanted >= first_stamp
    texts = likelihood[~stamps]
    before = torch.cat([torch.full_like(guides[:, :1], -1.0), guides[:, :-1]], 1)
    return Losses(
        text=-texts.gather(1, wanted[~stamps][:, None]).mean(),
        timestamps=_soft(likelihood[stamps][:, first_stamp:], wanted[stamps] - first_stamp),
        phonemes=_labels(heard.phonemes, phonemes),
        words=_labels(heard.words, words),
        guides=_guided(heard.last_look, guides) + _FIRST_LOOK_WEIGHT * _guided(heard.first_look, before),
        accuracy=(texts.detach().argmax(1) == wanted[~stamps]).float().mean(),
    )


def _labels(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def _soft(likelihood: Tensor, stamps: Tensor) -> Tensor:
    """Cross-entropy with a bell curve around each time stamp: 20 ms too late is nearly right."""
    if len(stamps) == 0:
        return likelihood.new_zeros(())
    distance = (torch.arange(TIMESTAMPS)[None] - stamps[:, None]) / _TIMESTAMP_DEVIATION
    share = torch.exp(-0.5 * distance.square())
    return -(share / share.sum(1, keepdim=True) * likelihood).sum(1).mean()


def _guided(scores: Tensor, guides: Tensor) -> Tensor:
    """Minus the logarithm of the attention that falls within ``guides``; (windows, tokens, frames)."""
    at_s = (torch.arange(scores.shape[-1]) + 0.5) / LABEL_HZ
    inside = (at_s >= guides[..., :1]) & (at_s <= guides[..., 1:]) & (guides[..., 1:] > 0)
    guided = inside.any(-1)
    if not guided.any():
        return scores.new_zeros((), dtype=torch.float32)
    scores, inside = scores[guided].float(), inside[guided]
    within = scores.masked_fill(~inside, _NOT_THERE).logsumexp(-1)
    return (scores.logsumexp(-1) - within).mean()
