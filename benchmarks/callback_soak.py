"""Whether callbacks hold under load and loss: two services and four workers on one database, and a rush.

Callers and agents of the simulator, over real sockets. What happened is counted by the customers' own
telephones: who asked, how often each telephone rang, who was served. ``--kill`` ends a worker with SIGKILL
every 20 s and starts it again. Speech recognition and recording are off.
"""

import argparse
import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
import yaml
from _report import Report, percentile, progress
from _soak_people import ATTEMPTS, QUEUE, scenario
from _soak_processes import Process, free_port
from pydantic import SecretStr

from callcenter import config
from callcenter.demo.stage import Credentials
from callcenter.simulator.callback_truth import CallbackTruth
from callcenter.simulator.run import Simulation
from callcenter.simulator.scenario import Scenario
from callcenter.simulator.truth import Truth
from callcenter.simulator.world import Progress
from callcenter.storage.embedded import PostgresServer
from callcenter.storage.pool import Database
from callcenter.storage.users import open_users

MINUTES, QUICK_MINUTES = 10.0, 0.2
SERVICES, WORKERS, QUICK_WORKERS = 2, 4, 2
KILL_EVERY_S, BACK_AFTER_S = 20.0, 2.0
LEASE_S = 5
FLOW = "flow.yaml"
_KEPT = "SELECT number, state, not_before, ended_at FROM callback.callback"
_ATTEMPTS = """
    SELECT number, count(*) AS attempts FROM callback.attempt JOIN callback.callback USING (callback_id)
     GROUP BY number
"""


@dataclass
class Soaked:
    """What was lived, and what the database says of it. ``kept`` is by the customer's number."""

    truth: Truth
    kept: dict[str, list[dict[str, Any]]]
    attempts: dict[str, int]
    kills: int
    exits: list[int]
    lived_s: float


def main() -> None:
    """Read the command line, live the rush, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help=f"of rush, default {MINUTES:g}")
    parser.add_argument("--quick", action="store_true", help="within a minute or so")
    parser.add_argument("--kill", action="store_true", help="kill a worker every 20 s")
    parser.add_argument("--workers", type=int, help=f"processes, default {WORKERS}")
    parser.add_argument("--seed", type=int, default=1, help="of the plan")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="write the whole truth there, as JSON")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the processes' logs there")
    arguments = parser.parse_args()
    minutes = arguments.minutes or (QUICK_MINUTES if arguments.quick else MINUTES)
    workers = arguments.workers or (QUICK_WORKERS if arguments.quick else WORKERS)
    plan = scenario(minutes, arguments.seed)
    with tempfile.TemporaryDirectory(prefix="callcenter-soak-") as folder:
        Path(folder).chmod(0o711)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            soaked = runner.run(soak(plan, Path(folder), workers, kill=arguments.kill))
        if arguments.logs is not None:
            arguments.logs.mkdir(parents=True, exist_ok=True)
            for log in Path(folder).glob("*.log"):
                (arguments.logs / log.name).write_bytes(log.read_bytes())
    if arguments.truth is not None:
        arguments.truth.write_text(json.dumps(soaked.truth.to_json(), indent=1, default=str) + "\n")
    report(soaked).print()


async def soak(plan: Scenario, folder: Path, workers: int, *, kill: bool) -> Soaked:
    """Live the plan; everything that is started here ends here."""
    async with AsyncExitStack() as stack:
        database = PostgresServer(folder / "data")
        await asyncio.to_thread(database.start)
        stack.push_async_callback(asyncio.to_thread, database.stop)
        users = await stack.enter_async_context(open_users(config.Settings(data_dir=folder / "data")))
        await users.add("soak", role="admin")
        token = await users.issue_token("soak")
        credentials, gateway_port = Credentials(), free_port()
        settings = _settings(plan, database.url, f"http://127.0.0.1:{gateway_port}", credentials)
        _write_flow(folder)
        made = [_own(settings, folder, f"serve{n}", "serve") for n in range(SERVICES)]
        made += [_own(settings, folder, f"worker{n}", "worker") for n in range(workers)]
        for process in made:
            stack.push_async_callback(process.stop)
        await made[0].start()
        await asyncio.gather(*(process.start() for process in made[1:]))
        simulation = await stack.enter_async_context(
            Simulation(
                plan,
                made[0].url,
                token,
                credentials.account_sid,
                credentials.auth_token,
                gateway_port=gateway_port,
                show=_show,
                more_services=[process.url for process in made[1:SERVICES]],
            )
        )
        killing = asyncio.create_task(_kill_by_turns(made[SERVICES:] if kill else []), name="killing")
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            truth = await simulation.run()
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
            await asyncio.gather(*(process.revive() for process in made))
        kept, attempts = await _read(database.url)
        exits = [await process.stop() for process in reversed(made)]
        kills = sum(process.starts - 1 for process in made)
        return Soaked(truth, kept, attempts, kills, exits, loop.time() - began_s)


async def _kill_by_turns(workers: Sequence[Process]) -> None:
    while workers:
        for worker in workers:
            await asyncio.sleep(KILL_EVERY_S - BACK_AFTER_S)
            progress(f"{worker.name} is killed")
            worker.kill()
            await asyncio.sleep(BACK_AFTER_S)
            await worker.start()


def _show(step: Progress) -> None:
    if step.what in {"has been served", "is called back"} and int(step.at_s) % 10 == 0:
        progress(f"{step.at_s:.0f} s: {step.call} {step.what}")


def _settings(plan: Scenario, database: str, gateway_url: str, credentials: Credentials) -> dict[str, Any]:
    twilio = {
        "enabled": True,
        "account_sid": credentials.account_sid,
        "auth_token": credentials.auth_token,
        "api_url": gateway_url,
        "from_number": plan.dialled,
    }
    callback = {
        "enabled": True,
        "offer_after_s": 600,
        "earliest_s": 3,
        "ring_s": 5,
        "attempts": ATTEMPTS,
        "retry": {"busy_s": 5, "no_answer_s": 5, "failed_s": 5, "jitter": 0.2},
        "dial_from": "00:00",
        "dial_until": "24:00",
        "max_pending": 10_000,
    }
    queue = {"name": QUEUE, "ring_timeout_s": 5, "wrap_up_s": 20, "redial_s": 0, "callback": callback}
    return {
        "database": {"url": database, "pool_size": 6},
        "server": {"drain_timeout_s": 10},
        "gateways": {"twilio": twilio},
        "asr": {"enabled": False},
        "recording": {"enabled": False},
        "callbacks": {"lease_s": LEASE_S},
        "queues": [queue],
        "agents": [
            {"id": agent.id, "address": agent.address, "queues": list(agent.queues)} for agent in plan.agents
        ],
        "routes": [{"number": "*", "flow": FLOW}],
    }


def _write_flow(folder: Path) -> None:
    menu = {"kind": "menu", "prompts": "Welcome.", "timeout_s": 30, "attempts": 1, "choices": {"1": QUEUE}}
    menu |= {"no_input": {"next": "bye"}, "no_match": {"next": "bye"}}
    queue = {"kind": "queue", "queue": QUEUE} | dict.fromkeys(("timeout", "empty", "full", "closed"), "bye")
    goodbye = {"kind": "hangup", "prompts": "Goodbye.", "reason": "completed"}
    nodes = {"menu": menu, QUEUE: queue, "bye": goodbye}
    (folder / FLOW).write_text(yaml.safe_dump({"language": "en", "start": "menu", "nodes": nodes}))


def _own(settings: dict[str, Any], folder: Path, name: str, command: str) -> Process:
    server = settings["server"] | {"port": free_port()}
    return Process(folder, name, command, settings | {"server": server, "data_dir": f"data-{name}"})


async def _read(url: str) -> tuple[dict[str, list[dict[str, Any]]], dict[str, int]]:
    """What is kept of each number, and how often the service says that it dialled it."""
    settings = config.Settings(database=config.Database(url=SecretStr(url)))
    kept: dict[str, list[dict[str, Any]]] = {}
    async with Database.open(settings) as database:
        for row in await database.fetch(_KEPT):
            kept.setdefault(row["number"], []).append(dict(row))
        attempts = {row["number"]: row["attempts"] for row in await database.fetch(_ATTEMPTS)}
    return kept, attempts


def report(soaked: Soaked) -> Report:
    """Count it."""
    made, wishes = Report("callback_soak"), soaked.truth.callbacks
    served = [wish for wish in wishes if wish.connected]
    ends = Counter(wish.ended_for or "open" for wish in wishes)
    rings = sum(len(wish.rings) for wish in wishes)
    duplicates = [f"{wish.number}: {problem}" for wish in wishes for problem in wish.duplicates]
    lost = [wish.number for wish in wishes if _is_lost(wish, soaked.kept.get(wish.number, []))]
    for problem in (*(f"{number} is lost" for number in lost), *soaked.truth.everything_wrong):
        progress(problem)
    firsts = [wish.first_ring_s for wish in wishes if wish.first_ring_s is not None]
    made.add("minutes", round(soaked.lived_s / 60, 1), "min")
    made.add("calls", len(soaked.truth.calls), "")
    made.add("callbacks_requested", len(wishes), "", "> 0")
    made.add("callbacks_dialled", sum(bool(wish.rings) for wish in wishes), "")
    made.add("rings", rings, "")
    made.add("attempts_by_the_service", sum(soaked.attempts.values()), "")
    made.add("callbacks_served", len(served), "", "> 0")
    made.add("callbacks_exhausted", ends["exhausted"], "")
    made.add("callbacks_open_at_the_end", ends["open"], "")
    made.add("duplicate_dials", len(duplicates), "", "= 0")
    made.add("lost", len(lost), "", "= 0")
    made.add("kept_but_never_asked_for", _never_asked_for(soaked), "", "= 0")
    if firsts:
        made.add("first_ring_after_p50", percentile(firsts, 0.5), "s")
        made.add("first_ring_after_p99", percentile(firsts, 0.99), "s")
    made.add("workers_killed", soaked.kills, "")
    made.add("processes_that_ended_badly", sum(status != 0 for status in soaked.exits), "", "= 0")
    return made


def _is_lost(wish: CallbackTruth, kept: Sequence[dict[str, Any]]) -> bool:
    """Whether nothing is kept of it, or it has ended neither served nor for a good reason."""
    if len(kept) != 1:
        return True
    state, ended_at = kept[0]["state"], kept[0]["ended_at"]
    if wish.connected:
        return False
    return ended_at is not None and state not in {"exhausted", "merged", "cancelled"}


def _never_asked_for(soaked: Soaked) -> int:
    asked = {wish.number for wish in soaked.truth.callbacks}
    return sum(len(rows) for number, rows in soaked.kept.items() if number not in asked)


if __name__ == "__main__":
    main()
