"""A day of load, lived against a service of its own, and every figure of it held against the truth."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout

from callcenter import config
from callcenter.demo import stage
from callcenter.demo.api import ServiceReader
from callcenter.demo.compare import Compared, Unit, compare, compare_satisfaction
from callcenter.demo.load_stage import write_load
from callcenter.demo.process import ServiceProcess
from callcenter.demo.wishes import Wishes
from callcenter.simulator.calls import NetworkFigures
from callcenter.simulator.run import Simulation, show_nothing
from callcenter.simulator.scenario import Scenario
from callcenter.simulator.truth import Truth
from callcenter.simulator.world import Show
from callcenter.storage.users import open_users

USER = "load"
REQUEST_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What was lived and what the service made of it. ``lived_s`` is how long the calls took."""

    truth: Truth
    compared: Sequence[Compared]
    network: NetworkFigures
    lived_s: float

    @property
    def different(self) -> list[Compared]:
        """The figures that do not equal the truth."""
        return [one for one in self.compared if not one.equal]

    @property
    def problems(self) -> list[str]:
        """What the simulated people saw go wrong."""
        return self.truth.everything_wrong

    @property
    def kinds(self) -> Mapping[str, int]:
        """How often each kind of thing happened, by the truth."""
        calls = self.truth.calls
        contacts = [contact for call in calls for contact in call.contacts]
        handed = Counter(result for call in calls for result in call.handed)
        left = Counter(contact.left_for for contact in contacts)
        offers = Counter(offer.answer for call in calls for offer in call.offers)
        return {
            "transfers blind": handed["blind"],
            "transfers warm": handed["completed"],
            "consultations cancelled": handed["cancelled"],
            "holds": sum(len(contact.holds) for contact in contacts),
            "overflows": left["overflow"],
            "callbacks": left["callback"],
            "abandons": left["abandoned"],
            "timeouts": left["timeout"],
            "refusals": left["full"],
            "surveys offered": sum(call.survey_heard for call in calls),
            "surveys answered": sum(bool(call.ratings) for call in calls),
            "voicemails": sum(call.message_left for call in calls),
            "offers rejected": offers["rejected"],
            "offers missed": offers["missed"],
        }


async def prove(scenario: Scenario, folder: Path, show: Show = show_nothing) -> Proof:
    """Live the scenario with all files in ``folder``, then read and compare.

    Raises ``CallCenterError`` when the service does not work.
    """
    started_at = datetime.now(UTC)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        sock, credentials = stage.listen(0), stage.Credentials()
        service = await enter(ServiceProcess(sock, folder / "service.log"))
        # The token must exist before the service does, and the database outlives a service that is killed.
        users = await enter(open_users(config.Settings(data_dir=folder / stage.DATA)))
        stack.push_async_callback(service.stop)
        await users.add(USER, role="admin")
        token = await users.issue_token(USER)
        wishes = await enter(Wishes())
        account = (credentials.account_sid, credentials.auth_token)
        simulation = await enter(Simulation(scenario, service.url, token, *account, show=show))
        await service.start(
            write_load(folder, scenario, simulation.gateway_url, wishes.url, credentials), token
        )
        session = await enter(ClientSession(timeout=ClientTimeout(total=REQUEST_TIMEOUT_S)))
        ready_at = datetime.now(UTC)
        truth = await service.guard(simulation.run())
        lived_s = (datetime.now(UTC) - ready_at).total_seconds()
        reader = ServiceReader(session, service.url, token)
        compared = await service.guard(_compare(reader, truth, started_at, wishes.numbers))
        return Proof(truth, compared, simulation.gateway.figures, lived_s)


async def _compare(
    reader: ServiceReader, truth: Truth, since: datetime, wished: Sequence[str]
) -> list[Compared]:
    await reader.settle()
    until = datetime.now(UTC) + timedelta(seconds=1)
    day, quality = await reader.day(since, until), await reader.quality(since, until)
    return [
        *compare(day.report, day.calls, truth),
        *compare_satisfaction(quality, truth),
        *compare_wishes(truth, wished),
    ]


def compare_wishes(truth: Truth, wished: Sequence[str]) -> list[Compared]:
    """Each caller who left for a callback was handed over once, and nobody else was."""
    name, unit, handed_over = "callbacks handed over", Unit.COUNT, Counter(wished)
    wants = Counter(
        call.number for call in truth.calls for contact in call.contacts if contact.left_for == "callback"
    )
    rows = [Compared("day", name, unit, len(wished), wants.total(), len(wished) == wants.total())]
    for number in sorted({*handed_over, *wants}):
        got, wanted = handed_over[number], wants[number]
        rows.append(Compared(f"call {number}", name, unit, got, wanted, got == wanted))
    return rows
