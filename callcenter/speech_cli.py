"""The sub-commands about speech: ``callcenter transcribe`` and ``callcenter asr``."""

import argparse
from pathlib import Path

from callcenter.command import Commands, command, load_settings, with_config


def add_asr(commands: Commands) -> None:
    """Make ``callcenter asr`` known."""
    parser = command(commands, "asr", "look at speech models", "callcenter asr gate small calls/*.wav")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    gate = command(
        actions,
        "gate",
        "measure how short a model's input may be: its errors by floor, and the floor to set",
        "callcenter asr gate small calls/*.wav",
        _asr_gate,
    )
    gate.add_argument("model", metavar="MODEL", help="a faster-whisper name or a folder")
    gate.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="AUDIO",
        help="recordings; what was said in NAME.wav is in NAME.reference.txt, else full padding is right",
    )
    gate.add_argument("--language", default=None, help="what is spoken (default: asr.language)")
    gate.add_argument("--json", action="store_true", help="print JSON")
    with_config(gate)


def _asr_gate(options: argparse.Namespace) -> int:
    from callcenter.speech_commands import gate

    print(gate(load_settings(options.config), options))  # noqa: T201
    return 0


def add_transcribe(commands: Commands) -> None:
    """Make ``callcenter transcribe`` known."""
    parser = command(
        commands,
        "transcribe",
        "write down what is said in recordings",
        "callcenter transcribe calls/ --format txt,srt --speakers caller,agent",
        _transcribe,
    )
    add = parser.add_argument
    add("files", type=Path, nargs="+", metavar="FILE", help="a recording, or a folder of them")
    add("--format", default="txt", metavar="LIST", help="txt, json, srt, vtt, or several (default: txt)")
    add("--language", metavar="CODE", help="a code such as en, or auto (default: asr.language)")
    add("--model", metavar="NAME", help="a faster-whisper name or folder (default: asr.model)")
    add("--jobs", type=int, metavar="N", help="utterances worked on at a time (default: one for each core)")
    add("--beam-size", type=int, metavar="N", help="1 is quickest (default: asr.beam_size)")
    add("--output", type=Path, metavar="DIR", help="where to write (default: beside each recording)")
    add("--speakers", default="left,right", metavar="A,B", help="who is on which channel of stereo")
    add("--mono", action="store_true", help="mix the channels and tell no speakers apart")
    add("--force", action="store_true", help="do again what is done")
    add("--json", action="store_true", help="print what was done as JSON")
    with_config(parser)


def _transcribe(options: argparse.Namespace) -> int:
    from callcenter.transcribe import TranscribeOptions, run_transcribe

    given = {name: value for name, value in vars(options).items() if name in TranscribeOptions.__slots__}
    formats, files = options.format, tuple(options.files)
    return run_transcribe(
        load_settings(options.config).asr, TranscribeOptions(**given | {"files": files, "formats": formats})
    )
