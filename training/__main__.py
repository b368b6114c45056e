"""``python -m training``: make the bundled speech model, all at once or step by step."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_FOLDER = Path("var/training")
_QUICK_MINUTES, _QUICK_SHARD, _QUICK_WIDTH, _QUICK_SENTENCES = 0.5, 150, 96, 3
_SPEECH_SHARDS, _OTHER_SHARDS, _MINUTES, _SENTENCES = 45, 15, 95.0, 300
_WIDTH = 192


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a step; 0 on success, 2 on bad usage or missing material."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="training-") as temporary:
        if options.folder is None:
            options.folder = Path(temporary) if options.quick else _FOLDER
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    try:
        if options.step in ("data", "all"):
            _data(options)
        if options.step in ("train", "all"):
            _train(options)
        if options.step in ("export", "all"):
            _export(options)
        if options.step in ("evaluate", "all"):
            _evaluate(options)
    except (FileNotFoundError, ValueError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Make the speech model of asr/models/demo-en from synthesised speech.",
        epilog="example: python -m training all --quick",
    )
    parser.add_argument(
        "step",
        choices=("all", "data", "train", "export", "evaluate"),
        help="data: synthesise the corpus; train: go on until the minutes are spent; export: make the "
        "folder for faster-whisper; evaluate: print figures as JSON; all: these four",
    )
    parser.add_argument("--folder", type=Path, help="corpus and checkpoint (default: var/training)")
    parser.add_argument("--model", type=Path, help="the finished model (default: FOLDER/model)")
    parser.add_argument("--minutes", type=float, default=_MINUTES, help="of processor time, all sittings")
    parser.add_argument("--start", type=Path, help="a finished model's folder to go on from")
    parser.add_argument("--processes", type=int, default=2, help="of one thread each")
    parser.add_argument("--shards", type=int, default=_SPEECH_SHARDS, help="of 1,000 utterances each")
    parser.add_argument("--other-shards", type=int, default=_OTHER_SHARDS, help="of 200 sounds, not speech")
    parser.add_argument("--sentences", type=int, default=_SENTENCES, help="to evaluate with, of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a tiny model, to prove it runs")
    return parser


def _data(options: argparse.Namespace) -> None:
    from training import corpus

    shards, others = (2, 1) if options.quick else (options.shards, options.other_shards)
    size = _QUICK_SHARD if options.quick else None
    made = corpus.make(options.folder / "corpus", shards, others, options.processes, size)
    print(f"{made} shards made, {shards + others - made} were there", file=sys.stderr)


def _train(options: argparse.Namespace) -> None:
    from training.train import Plan, run

    minutes, width = (_QUICK_MINUTES, _QUICK_WIDTH) if options.quick else (options.minutes, _WIDTH)
    run(Plan(options.folder, minutes, options.processes, width, options.seed, options.start))


def _export(options: argparse.Namespace) -> None:
    from training.export import export
    from training.train import CHECKPOINT

    folder = _model(options)
    size = export(options.folder / CHECKPOINT, folder)
    print(f"{folder}: {size / 1e6:.1f} MB", file=sys.stderr)


def _evaluate(options: argparse.Namespace) -> None:
    from training.evaluate import evaluate

    figures = evaluate(_model(options), _QUICK_SENTENCES if options.quick else options.sentences)
    print(json.dumps(figures, indent=2))


def _model(options: argparse.Namespace) -> Path:
    folder: Path = options.model or options.folder / "model"
    return folder


if __name__ == "__main__":
    sys.exit(main())
