"""The demo's service process: ``python -m callcenter.demo.serve FD``.

It serves on the listening socket ``FD`` that it inherits. Its orders come as one line of JSON on standard
input (``config``: the settings file, ``demo_token``: the token that signs in this machine's browsers), so
that no secret is in an argument or a variable; the end of standard input is the order to stop, so that no
service outlives its demo.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import uvloop

from callcenter import config
from callcenter.app import Place, serving
from callcenter.cli import report_errors, set_up_logging

DRAIN_TIMEOUT_S = 2.0


def main() -> int:
    """Serve as told until told to stop; returns the exit status."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    line = sys.stdin.readline()
    if not line:
        return 0
    orders = json.loads(line)
    return report_errors(lambda: _serve(sock, Path(orders["config"]), orders["demo_token"]))


def _serve(sock: socket.socket, path: Path, demo_token: str) -> int:
    settings = config.load(path, environ={})
    set_up_logging(settings.log_level)
    uvloop.run(_serve_until_told(settings, Place(sock), demo_token))
    return 0


async def _serve_until_told(settings: config.Settings, place: Place, demo_token: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    stdin = sys.stdin.fileno()
    loop.add_reader(stdin, lambda: stop.set() if not os.read(stdin, 4096) else None)
    async with serving(settings, place, demo_token=demo_token) as service:
        await stop.wait()
        loop.remove_reader(stdin)
        await service.drain(DRAIN_TIMEOUT_S)


if __name__ == "__main__":
    sys.exit(main())
