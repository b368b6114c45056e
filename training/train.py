"""Training: some processes of one thread each, every one with its own windows, in step by their gradients.

On a small CPU that is faster than one process with several threads. A run has a budget of minutes of
processor time, so a busy machine makes it later and not worse; its state is stored every few minutes and on
SIGTERM, and a later sitting goes on where it was, also with a larger budget.
"""

import itertools
import json
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from training import corpus
from training.channel import FRAMES_PER_S
from training.examples import example, phonemes_of
from training.finished import start_from
from training.losses import losses
from training.model import Size, SpeechModel
from training.start import prepare
from training.tokens import Tokens
from training.windows import Batch, Windows

CHECKPOINT = "checkpoint.pt"
_PEAK_RATE, _GENTLE_RATE = 1.5e-3, 4e-4
_WARM_UP_STEPS, _GENTLE_WARM_UP_STEPS = 200, 50
_LAST_SHARE, _STEADY_SHARE = 0.01, 0.1
_WEIGHT_DECAY = 0.05
_GRADIENT_NORM_MAX = 1.0
_WORD_STEP = 4
_SAVE_EVERY_S = 120.0
_REPORT_STEPS = 25
_EARLY, _LATE, _LATE_FROM = (0.8, 0.17, 0.03), (0.45, 0.37, 0.18), 0.6
_EARLY_FRAMES, _LATE_FRAMES = 5000, 7000
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "8192",
    "THP_MEM_ALLOC_ENABLE": "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=4294967296",
}
"""Memory that is kept rather than given back, in huge pages: else the kernel clears it at every step."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train: ``folder`` holds ``corpus`` and takes the checkpoint.

    ``minutes`` are of each process's time on a processor, in all sittings together. ``start`` is the folder
    of a finished model to go on from, more gently, instead of from nothing.
    """

    folder: Path
    minutes: float
    processes: int = 2
    width: int = 192
    seed: int = 1
    start: Path | None = None


def run(plan: Plan) -> None:
    """Train until the budget is spent or a signal ends the sitting.

    Raises ``RuntimeError`` where a process failed.
    """
    meeting = plan.folder / "meeting"
    meeting.unlink(missing_ok=True)
    os.environ.update(_ENVIRONMENT)
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_work, args=(plan, rank), name=f"training {rank}")
        for rank in range(plan.processes)
    ]
    for worker in workers:
        worker.start()

    def end_sitting(*_: object) -> None:
        for worker in workers:
            worker.terminate()

    before = {number: signal.signal(number, end_sitting) for number in (signal.SIGTERM, signal.SIGINT)}
    for worker in workers:
        worker.join()
    for number, handler in before.items():
        signal.signal(number, handler)
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("training failed; the checkpoint is that of the last few minutes")


def _work(plan: Plan, rank: int) -> None:
    torch.set_num_threads(1)
    meeting = (plan.folder / "meeting").resolve()
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=plan.processes)
    trainer = Trainer(plan, rank)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, trainer.stop)
    trainer.train()
    dist.destroy_process_group()


class Trainer:
    """One of the processes."""

    def __init__(self, plan: Plan, rank: int) -> None:
        torch.manual_seed(plan.seed)
        self._plan, self._rank, self._stopping = plan, rank, False
        shards = corpus.load(plan.folder / "corpus", "speech")
        phonemes = phonemes_of(shards[0])
        self._tokens = Tokens.build()
        size = Size(len(self._tokens), self._tokens.end + 1, len(phonemes), plan.width)
        self._model = SpeechModel(size)
        self._weights = [weight for weight in self._model.parameters() if weight.requires_grad]
        self._optimizer = _optimizer(self._weights)
        self._step, self._spent_s, self._audio_s = 0, 0.0, 0.0
        # A processor that must imitate bfloat16 takes sixty times as long for it as for float32.
        self._in_bfloat16 = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        fresh = not self._restore()
        self._windows = Windows(
            [example(one, shard, self._tokens, phonemes) for shard in shards for one in shard.utterances],
            [
                shard.mel[one.first_frame : one.first_frame + one.frames]
                for shard in corpus.load(plan.folder / "corpus", "other")
                for one in shard.utterances
            ],
            self._tokens,
            np.random.default_rng([plan.seed, rank, self._step]),
        )
        if fresh:
            if plan.start is None:
                prepare(self._model, _features(self._windows.batch(_EARLY, _EARLY_FRAMES)))
            else:
                start_from(plan.start, self._model, self._tokens)
            for value in self._model.state_dict().values():
                dist.broadcast(value, 0)
        self._exchange = torch.zeros(sum(weight.numel() for weight in self._weights) + 1)
        at = 0
        for weight in self._weights:
            weight.grad = self._exchange[at : at + weight.numel()].view_as(weight)
            at += weight.numel()

    def stop(self, *_: object) -> None:
        """End the sitting after the present step; a signal's handler."""
        self._stopping = True

    def train(self) -> None:
        """Until the budget is spent or the first process is asked to stop."""
        began, saved_s = time.process_time() - self._spent_s, self._spent_s
        progress = 0.0
        reports: list[dict[str, float]] = []
        for _ in itertools.count():
            late = progress > _LATE_FROM or self._plan.start is not None
            batch = self._windows.batch(_LATE if late else _EARLY, _LATE_FRAMES if late else _EARLY_FRAMES)
            taught = self._teach(batch)
            self._spent_s = time.process_time() - began
            progress = self._agree(1.0 if self._stopping else self._spent_s / 60 / self._plan.minutes)
            if progress >= 1:
                break
            self._learn(progress)
            self._audio_s += batch.features.shape[0] * batch.features.shape[1] / FRAMES_PER_S
            reports.append(taught)
            if self._rank == 0 and len(reports) == _REPORT_STEPS:
                self._report(reports, progress)
                reports = []
            if self._rank == 0 and self._spent_s - saved_s > _SAVE_EVERY_S:
                saved_s = self._spent_s
                self._save()
        if self._rank == 0:
            self._save()

    def _teach(self, batch: Batch) -> dict[str, float]:
        """Compute the gradients of a batch into the buffer that is exchanged."""
        self._exchange.zero_()
        offset = self._step % _WORD_STEP
        with torch.autocast("cpu", torch.bfloat16, enabled=self._in_bfloat16):
            heard = self._model(_features(batch), torch.from_numpy(batch.tokens), _WORD_STEP, offset)
        taught = losses(
            heard,
            torch.from_numpy(batch.targets),
            torch.from_numpy(batch.guides),
            torch.from_numpy(batch.phonemes),
            torch.from_numpy(batch.words[:, offset::_WORD_STEP]),
        )
        total = taught.total()
        if not torch.isfinite(total):
            raise RuntimeError(f"the loss is no number at step {self._step}")
        total.backward()
        return taught.figures()

    def _agree(self, progress: float) -> float:
        """Take the mean of all gradients, and the first process's ``progress``, so that all stay alike."""
        self._exchange[-1] = progress if self._rank == 0 else 0.0
        dist.all_reduce(self._exchange)
        agreed = float(self._exchange[-1])
        self._exchange /= self._plan.processes
        return agreed

    def _learn(self, progress: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(progress)
        nn.utils.clip_grad_norm_(self._weights, _GRADIENT_NORM_MAX)
        self._optimizer.step()
        self._step += 1

    def _rate(self, progress: float) -> float:
        if self._plan.start is None:
            return _PEAK_RATE * rate_share(self._step / _WARM_UP_STEPS, progress)
        return _GENTLE_RATE * rate_share(self._step / _GENTLE_WARM_UP_STEPS, progress)

    def _report(self, reports: list[dict[str, float]], progress: float) -> None:
        means = {name: round(float(np.mean([one[name] for one in reports])), 3) for name in reports[0]}
        hours = self._audio_s * self._plan.processes / 3600
        line = {
            "step": self._step,
            "minutes": round(self._spent_s / 60, 2),
            "rate": round(self._rate(progress), 6),
            **means,
            "hours": round(hours, 2),
            "times_real_time": round(hours * 3600 / self._spent_s),
        }
        print(json.dumps(line), file=sys.stderr, flush=True)

    def _save(self) -> None:
        unfinished = self._plan.folder / "checkpoint.unfinished"
        state = {
            "size": asdict(self._model.size),
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "tokenizer": self._tokens.tokenizer.to_str(),
            "step": self._step,
            "spent_s": self._spent_s,
            "audio_s": self._audio_s,
        }
        torch.save(state, unfinished)
        unfinished.rename(self._plan.folder / CHECKPOINT)

    def _restore(self) -> bool:
        """Go on where an earlier sitting stopped; false where there was none."""
        path = self._plan.folder / CHECKPOINT
        if not path.exists():
            return False
        state = torch.load(path, weights_only=True)
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._step, self._spent_s, self._audio_s = state["step"], state["spent_s"], state["audio_s"]
        return True


def rate_share(warm: float, progress: float) -> float:
    """Of the highest learning rate: rises until ``warm`` is 1, stays, then falls along a cosine.

    ``progress`` is 0 to 1.
    """
    fallen = max(progress - _STEADY_SHARE, 0.0) / (1 - _STEADY_SHARE)
    cosine = 0.5 * (1 + math.cos(math.pi * min(fallen, 1.0)))
    return min(warm, 1.0) * (_LAST_SHARE + (1 - _LAST_SHARE) * cosine)


def _features(batch: Batch) -> Tensor:
    return torch.from_numpy(batch.features).transpose(1, 2).contiguous()


def _optimizer(weights: list[nn.Parameter]) -> torch.optim.AdamW:
    def some(matrices: bool) -> Iterator[nn.Parameter]:
        return (weight for weight in weights if (weight.ndim > 1) == matrices)

    groups = [
        {"params": list(some(True)), "weight_decay": _WEIGHT_DECAY},
        {"params": list(some(False)), "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=_PEAK_RATE, betas=(0.9, 0.98), eps=1e-8, fused=True)
