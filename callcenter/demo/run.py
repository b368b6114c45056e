"""Runs the demo in a folder of its own that is gone afterwards, until it is over or the user ends it."""

import asyncio
import logging
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from rich.console import Console

from callcenter.demo import stage
from callcenter.demo.day import Day
from callcenter.demo.options import DemoOptions
from callcenter.demo.show import WIDTH

INTERRUPTED = 130


def run_demo(options: DemoOptions) -> int:
    """Run it all; 0 if every figure equals the truth and the words are good, 1 if not, 130 after Ctrl-C.

    Raises ``UsageError`` for options that cannot work and ``CallCenterError`` when something fails.
    """
    scenario = stage.plan(options)
    stage.check_json_file(options.json_file)
    flow = stage.flow_file()
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    with _data_folder() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_told(Day(options, scenario, flow, folder, console)))


@contextmanager
def _data_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="callcenter-demo-"))
    log_file = logging.FileHandler(folder / "demo.log")
    log_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.root.addHandler(log_file)
    try:
        yield folder
    finally:
        logging.root.removeHandler(log_file)
        log_file.close()
        shutil.rmtree(folder, ignore_errors=True)


async def _until_told(day: Day) -> int:
    """Live the day; SIGINT or SIGTERM ends it in order.

    Only the first signal counts, so that another one does not break the clearing up, which is bounded.
    """
    told = asyncio.Event()
    living = asyncio.create_task(day.live(told), name="demo")

    def end() -> None:
        if not told.is_set():
            told.set()
            if not day.keeping:
                living.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end)
    await asyncio.wait({living})
    return INTERRUPTED if living.cancelled() else living.result()
