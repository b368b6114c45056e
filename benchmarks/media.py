"""How many calls one core carries, and what the service adds to the delay of their sound.

100 callers are bridged to 100 agents: Twilio's protocol over loopback, the way of every call, which is
webhook, flow, queue, offer, dialling the agent, bridge. Recording and voice detection are on; the speech
model is replaced by one that hears nothing. The service has one core, the network that sends and receives
has the others; the database goes where the kernel puts it, as if on a machine of its own. Each of the 200
legs sends 50 frames a second, half of them speech, at absolute times. A frame's delay is from just before
it is written on one leg to its being read on the other. A frame is lost that is not back half a second
after the last was sent.

The peer is a forwarder made of aiohttp alone, on the same core, with the same uvloop: it decodes the JSON
and the base64 and sends the message on. The two are measured in turn, several times; figures of processor
time are medians over the turns, delays and losses are of all turns together. The calls per core are what the
processor time of a frame comes to; ``--calls`` tries a number of calls out.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import uvloop
from _media_load import FRAMES_PER_S, Network, Pacer, Window
from _media_servers import Child, forwarder, pinned, service, settings
from _report import Report, progress

from callcenter.storage.embedded import PostgresServer

SETUP_TIMEOUT_S = 60
CALLS_PER_S = 20


@dataclass(frozen=True, slots=True)
class Size:
    """Calls at once, and how long and how often each server is measured."""

    calls: int
    seconds: float
    turns: int


FULL = Size(calls=100, seconds=10, turns=3)
QUICK = Size(calls=20, seconds=4, turns=2)


@dataclass(slots=True)
class Carried:
    """What one server did in all of its turns."""

    server: Child
    pacer: Pacer
    cpu_us: list[float] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)

    async def turn(self, seconds: float) -> None:
        """Measure once."""
        before_s = self.server.cpu_s
        window = await self.pacer.measure(seconds)
        self.cpu_us.append(1e6 * (self.server.cpu_s - before_s) / window.sent)
        self.windows.append(window)
        self.late_s += self.pacer.late_s

    @property
    def cpu_us_per_frame(self) -> float:
        """Processor time for each frame that was sent."""
        return statistics.median(self.cpu_us)

    @property
    def lost(self) -> int:
        """Frames that did not arrive."""
        return sum(len(window.in_flight) for window in self.windows)

    @property
    def wrong(self) -> int:
        """Frames that arrived twice, at the wrong time or with another sound."""
        return sum(window.changed + window.strays for window in self.windows)

    def delay_ms(self, share: float) -> float:
        """The delay that ``share`` of the frames do not exceed."""
        return round(1000 * quantile([delay for one in self.windows for delay in one.delays_s], share), 2)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of ``values`` do not exceed."""
    return sorted(values)[int(share * (len(values) - 1))]


async def carry(network: Network, server: Child, size: Size) -> Carried:
    """Connect all calls through the service and wait until everybody hears their partner."""
    calling = [
        asyncio.create_task(_ring(network, server.url, number), name=f"caller {number}")
        for number in range(size.calls)
    ]
    async with asyncio.timeout(SETUP_TIMEOUT_S):
        await asyncio.gather(*calling)
        pacer = Pacer(network.legs)
        while len(network.legs) < 2 * size.calls or any(leg.heard is None for leg in network.legs):
            await pacer.run(0.1)
    return Carried(server, pacer)


async def _ring(network: Network, url: str, number: int) -> None:
    await asyncio.sleep(number / CALLS_PER_S)
    await network.call(url, f"+1202555{100 + number % 100:04}")


async def forward(network: Network, server: Child, size: Size) -> Carried:
    """Connect as many legs to the forwarder."""
    for number in range(2 * size.calls):
        await network.join(f"{server.url}/{number}")
    return Carried(server, Pacer(network.legs))


def report(ours: Carried, bare: Carried, size: Size) -> Report:
    """Turn what was seen into figures."""
    result = Report("media")
    peer = f"(aiohttp {version('aiohttp')})"
    cpu_us, bare_us = ours.cpu_us_per_frame, bare.cpu_us_per_frame
    result.add("bridged_calls", size.calls, "calls")
    result.add("frames_sent", sum(window.sent for window in ours.windows), "frames")
    result.add("frames_lost", ours.lost, "frames", "= 0")
    result.add("frames_wrong", ours.wrong, "frames", "= 0")
    result.add("added_delay_p50_ms", ours.delay_ms(0.5), "ms")
    result.add("added_delay_p99_ms", ours.delay_ms(0.99), "ms", "<= 25")
    result.add("added_delay_max_ms", ours.delay_ms(1), "ms")
    result.add(f"bare_forwarder_added_delay_p99_ms {peer}", bare.delay_ms(0.99), "ms")
    result.add("load_generator_late_p99_ms", round(1000 * quantile(ours.late_s, 0.99), 2), "ms")
    result.add("cpu_us_per_frame", round(cpu_us, 1), "us")
    result.add(f"bare_forwarder_cpu_us_per_frame {peer}", round(bare_us, 1), "us")
    result.add("ratio", round(cpu_us / bare_us, 2), "", "<= 2.0")
    result.add("calls_per_core", int(1e6 / (cpu_us * 2 * FRAMES_PER_S)), "calls")
    return result


async def measure(ours: Child, bare: Child, telephones: Network, size: Size) -> Report:
    """Connect everybody, measure the two servers in turn, and report."""
    async with telephones, Network() as wires:
        forwarded = await forward(wires, bare, size)
        carried = await carry(telephones, ours, size)
        progress(f"{size.calls} calls are bridged")
        for _ in range(size.turns):
            for one in (forwarded, carried):
                await one.turn(size.seconds)
                progress(f"{one.cpu_us[-1]:.1f} us per frame, {len(one.windows[-1].in_flight)} lost")
    return report(carried, forwarded, size)


def run(size: Size) -> None:
    """Start the servers on their core and print what is measured from the others."""
    cores = sorted(os.sched_getaffinity(0))
    telephones = Network()
    with tempfile.TemporaryDirectory(prefix="callcenter-bench-") as folder, ExitStack() as servers:
        wanted = settings(Path(folder), size.calls, telephones.account)
        database = PostgresServer(wanted.data_dir)
        database.start()
        servers.callback(database.stop)
        with pinned(cores[:1]):
            progress("starting the service")
            ours = servers.enter_context(Child(service, wanted))
            bare = servers.enter_context(Child(forwarder))
        with pinned(cores[1:] or cores):
            result = uvloop.run(measure(ours, bare, telephones, size))
    result.print()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 calls and 8 seconds")
    parser.add_argument("--calls", type=int, help="calls at once instead of 100")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else FULL
    run(replace(size, calls=arguments.calls or size.calls))


if __name__ == "__main__":
    main()
