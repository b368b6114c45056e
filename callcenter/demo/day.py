"""The day: service and simulated people beside each other, and then what came of it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout
from rich.console import Console

from callcenter import config, reports
from callcenter.demo import stage
from callcenter.demo.api import ServiceReader
from callcenter.demo.options import DemoOptions
from callcenter.demo.process import ServiceProcess
from callcenter.demo.results import Results, Run, conclude, to_json
from callcenter.demo.screen import Screen
from callcenter.demo.show import show
from callcenter.demo.watch import watch
from callcenter.errors import UsageError
from callcenter.reports import callback_export, quality_export
from callcenter.simulator.run import Simulation
from callcenter.simulator.scenario import Scenario
from callcenter.simulator.truth import Truth
from callcenter.storage.users import open_users

USER = "demo"
REQUEST_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class _Stage:
    """Everything that is up while the day lasts. ``ready_s`` is how long that took."""

    service: ServiceProcess
    simulation: Simulation
    screen: Screen
    settings: config.Settings
    session: ClientSession
    token: str
    ready_s: float


class Day:
    """One run of the demo, its files in ``folder``.

    While ``keeping`` the results are printed and the service stays up until told.
    """

    def __init__(
        self, options: DemoOptions, scenario: Scenario, flow: Path, folder: Path, console: Console
    ) -> None:
        self._options = options
        self._scenario = scenario
        self._flow = flow
        self._folder = folder
        self._console = console
        self._started_at = datetime.now(UTC)
        self.keeping = False

    async def live(self, told: asyncio.Event) -> int:
        """Do everything; returns the exit status. Cancelled, it clears up and leaves nothing running."""
        async with AsyncExitStack() as stack:
            up = await self._set_up(stack)
            truth = await up.service.guard(self._simulate(up))
            results = await up.service.guard(self._conclude(up, truth))
            if self._options.json_file is not None:
                _write(self._options.json_file, results)
            show(self._console, results, await self._report(up.settings))
            if self._options.keep:
                await self._keep(up.service, told)
            return 0 if results.ok else 1

    async def _set_up(self, stack: AsyncExitStack) -> _Stage:
        """Bring everything up; the service imports its modules while the database starts."""
        enter = stack.enter_async_context
        sock, credentials = stage.listen(self._options.port), stage.Credentials()
        port = sock.getsockname()[1]
        if self._options.port not in (0, port):
            self._say(f"port {self._options.port} is taken; using port {port}")
        service = await enter(ServiceProcess(sock, self._folder / "service.log"))
        self._say("starting the database and the service")
        # The token must exist before the service does, and the database outlives a service that is killed.
        users = await enter(open_users(config.Settings(data_dir=self._folder / stage.DATA)))
        stack.push_async_callback(service.stop)
        await users.add(USER, role="admin")
        token = await users.issue_token(USER)
        screen = Screen(
            self._console, service.url, self._options.calls, self._elapsed_s, plain=self._options.plain
        )
        account = (credentials.account_sid, credentials.auth_token)
        simulation = await enter(Simulation(self._scenario, service.url, token, *account, show=screen.step))
        path = stage.write_settings(
            self._folder, self._scenario, self._flow, simulation.gateway_url, credentials
        )
        await service.start(path, token)
        session = await enter(ClientSession(timeout=ClientTimeout(total=REQUEST_TIMEOUT_S)))
        self._say(f"calls may come at {service.url} after {self._elapsed_s():.1f} s")
        return _Stage(
            service, simulation, screen, config.load(path, environ={}), session, token, self._elapsed_s()
        )

    async def _simulate(self, up: _Stage) -> Truth:
        async with up.screen, _watching(up):
            truth = await up.simulation.run()
            await ServiceReader(up.session, up.service.url, up.token).settle()
            return truth

    async def _conclude(self, up: _Stage, truth: Truth) -> Results:
        day = await ServiceReader(up.session, up.service.url, up.token).day(self._started_at, self._until())
        run = Run(
            calls=self._options.calls,
            agents=self._options.agents,
            seed=self._options.seed,
            address=up.service.url,
            started_at=self._started_at.isoformat(),
            ready_s=round(up.ready_s, 3),
            first_word_s=None if up.screen.first_word_s is None else round(up.screen.first_word_s, 3),
            duration_s=round(self._elapsed_s(), 3),
            network=up.simulation.gateway.figures,
        )
        return conclude(run, day, truth)

    async def _report(self, settings: config.Settings) -> str:
        since, until = self._started_at, self._until()
        summary = await reports.read_summary(settings, since=since, until=until)
        quality = await reports.read_quality(settings, since=since, until=until)
        callbacks = await reports.read_callbacks(settings, since=since, until=until)
        more = (*callback_export.sections(callbacks), *quality_export.sections(quality))
        return reports.to_text(replace(summary, sections=(*summary.sections, *more)))

    async def _keep(self, service: ServiceProcess, told: asyncio.Event) -> None:
        self.keeping = True
        self._say(f"\nthe service stays up at {service.url} until Ctrl-C; its data are in {self._folder}")
        await service.guard(told.wait())

    def _until(self) -> datetime:
        return self._started_at + timedelta(seconds=self._elapsed_s() + 1)

    def _elapsed_s(self) -> float:
        return (datetime.now(UTC) - self._started_at).total_seconds()

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


@asynccontextmanager
async def _watching(up: _Stage) -> AsyncIterator[None]:
    watching = asyncio.create_task(
        watch(up.session, up.service.url, up.token, up.screen.take), name="watching the service"
    )
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


def _write(path: Path, results: Results) -> None:
    try:
        path.write_text(json.dumps(to_json(results), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--json: {path}: {error.strerror}") from None
