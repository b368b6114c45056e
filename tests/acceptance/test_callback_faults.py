"""A network that loses, repeats and scatters its news, or does not answer: nobody is rung twice."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from callcenter.simulator.calls import Account, PhoneCall
from callcenter.simulator.gateway import Gateway
from support.numbers import new_number
from support.office import Office
from support.program import ACCOUNT_SID, AUTH_TOKEN, Program, free_port
from support.twilio_network import twilio_settings

AGENTS = [f"+1206555010{digit}" for digit in range(3)]
WISHES = 9
OVER = {"completed", "exhausted"}
RETRY = {"busy_s": 1, "no_answer_s": 1, "failed_s": 1, "jitter": 0}
CALLBACK = {"enabled": True, "dial_from": "00:00", "dial_until": "24:00", "earliest_s": 0, "ring_s": 5}


def is_customer(number: str) -> bool:
    return number not in AGENTS


class People:
    """Agents and customers with telephones; ``doing`` says what each customer does at each ring."""

    def __init__(self) -> None:
        self.too_late = 0
        self.ringing: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.doing: dict[str, list[str]] = defaultdict(list)

    async def ring(self, call: PhoneCall) -> None:
        number = call.to_number
        if number in AGENTS:
            call.answer()
            return
        self.too_late += self.served[number]
        self.ringing[number] += 1
        self.most[number] = max(self.most[number], self.ringing[number])
        try:
            await asyncio.sleep(0.5)
            match self.doing[number].pop(0) if self.doing[number] else "answers":
                case "busy":
                    call.reject()
                case "answers":
                    call.answer()
                    await self._talk(call)
            await asyncio.wait_for(call.ended.wait(), 60)
        finally:
            self.ringing[number] -= 1

    async def _talk(self, call: PhoneCall) -> None:
        async with asyncio.timeout(10):
            await call.connected.wait()
        self.served[call.to_number] += 1
        await asyncio.sleep(1.5)
        call.hang_up()


async def ended(office: Office, ids: list[str], within_s: float) -> list[dict[str, Any]]:
    deadline = time.monotonic() + within_s
    while True:
        found = [await office.get(f"/callbacks/{one}") for one in ids]
        if all(callback["state"] in OVER for callback in found):
            return found
        assert time.monotonic() < deadline, [(one["state"], one["attempts_made"]) for one in found]
        await asyncio.sleep(0.5)


async def test_nobody_is_rung_twice_or_forgotten(make_program: Callable[..., Program]) -> None:
    port, people = free_port(), People()
    callback = CALLBACK | {"retry": RETRY, "attempts": 6}
    program = make_program(
        gateways={
            "twilio": twilio_settings(
                api_url=f"http://127.0.0.1:{port}", from_number="+13105550199", request_timeout_s=1
            )
        },
        queues=[{"name": "sales", "ring_timeout_s": 10, "wrap_up_s": 0, "callback": callback}],
    )
    program.start()
    account = Account(ACCOUNT_SID, AUTH_TOKEN)
    async with (
        Office(program) as office,
        Gateway(account, program.url, people.ring, port=port) as gateway,
    ):
        news, dials = gateway.news_faults, gateway.dial_faults
        news.concerns = dials.concerns = is_customer
        news.lost, news.twice, news.scatter_s = 0.3, 0.4, 1.5
        dials.never_ring, dials.lost_answers, dials.hang_s = 2, 2, 2
        ids = []
        for number in range(WISHES):
            asked = {"queue": "sales", "number": new_number(), "consent": True}
            people.doing[asked["number"]] = [["busy"], ["misses"], []][number % 3]
            status, answer = await office.ask("POST", "/callbacks", asked)
            assert status == 201, answer
            ids.append(answer["callback_id"])
        for number, address in enumerate(AGENTS):
            await office.hire(f"agent{number}", address)
        found = await ended(office, ids, 120)
    assert {one["state"] for one in found} == {"completed"}
    assert set(people.most.values()) == {1}
    assert people.too_late == 0
    assert sorted(people.served.values()) == [1] * WISHES
    assert dials.never_ring == dials.lost_answers == 0
    assert program.stop() == 0
    assert "Traceback" not in program.log
