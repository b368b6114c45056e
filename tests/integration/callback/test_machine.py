"""All that can happen to callbacks, in any order, against the invariants: store, rules, reconciliation.

Workers here are claims in hand, the network is a dictionary; killing a worker is forgetting what it held.
"""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from callback.errors import FenceLostError, RefusedError, TransitionError
from callback.outcome import after_attempt
from callback.policy import may_dial
from callback.ports import Fate, Found
from callback.reconcile import HangUp, Settle, Wait, decide
from callback.request import Callback, Claim, Mode, Result
from callback.search import Search
from callback.state import CLAIMED, DIALLED, TABLE, State, Step
from callback.store import Store
from callcenter.storage.pool import Database
from support.scripted import QUICK
from support.wishes import a_wish, some_terms

CHANGES = ["edit", "edit", "edit", "expedite", "expedite", "move", "reassign", "merge", "cancel"]
EXAMPLES = int(os.environ.get("CALLBACK_EXAMPLES", "40"))
NUMBERS = [f"+1202555010{n}" for n in range(4)]
QUEUES = ["sales", "help"]
AT_ONCE = 2
RUNS = 6


async def at_once() -> int:
    return AT_ONCE


RING_S, MARGIN_S, LEASE_S = 20.0, 10.0, 3600.0
LIVE = {Fate.RINGING, Fate.TALKING}
_BY_FATE = {Fate.BUSY: Result.BUSY, Fate.NO_ANSWER: Result.NO_ANSWER, Fate.ANSWERED: Result.LOST}
T = TypeVar("T")


@dataclass
class Held:
    """A claim in the hand of a worker that may have lost it."""

    claim: Claim
    attempt_id: UUID | None = None
    asked: bool = False


@dataclass
class Known:
    """What never changes, or only rises."""

    arrived_at: Any
    fence: int = 0
    ended: Callback | None = None
    dials: list[UUID] = field(default_factory=list)


class Machine(RuleBasedStateMachine):
    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.opened = Database.connect(self.url, pool_size=1)
        self.database = self.run(self.opened.__aenter__())
        self.store = Store(self.database.transaction)
        self.held: list[Held] = []
        self.calls: dict[UUID, Fate] = {}
        self.known: dict[UUID, Known] = {}
        self.forbidden: set[str] = set()
        self.told: set[tuple[UUID, str]] = set()
        self.run(
            self.database.execute(
                "TRUNCATE callback.callback, callback.do_not_call, callcenter.queue_entry CASCADE"
            )
        )

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.opened.__aexit__(None, None, None))
        self.loop.close()

    def all(self) -> list[Callback]:
        return self.run(self.store.find(Search(limit=1000)))

    def pick(self, data: st.DataObject) -> Callback | None:
        made = self.all()
        return data.draw(st.sampled_from(made)) if made else None

    @initialize(modes=st.tuples(*[st.sampled_from(list(Mode)) for _ in NUMBERS]))
    def a_day_begins(self, modes: tuple[Mode, ...]) -> None:
        for number, mode in zip(NUMBERS, modes, strict=True):
            for queue in QUEUES:
                self.ask(number, queue, mode, 0, 7200)
        for queue in QUEUES:
            self.a_worker_claims_in_order(queue)
        self.workers_race_for_turns()

    # What customers and staff do.

    @rule(
        number=st.sampled_from(NUMBERS),
        queue=st.sampled_from(QUEUES),
        mode=st.sampled_from(list(Mode)),
        priority=st.integers(0, 1),
        expires_s=st.sampled_from([3600, 7200]),
    )
    def request(self, number: str, queue: str, mode: Mode, priority: int, expires_s: int) -> None:
        self.ask(number, queue, mode, priority, expires_s)

    def ask(self, number: str, queue: str, mode: Mode, priority: int, expires_s: int) -> None:
        now = self.run(self.store.now())
        terms = some_terms(now, mode=mode, expires_at=now + timedelta(seconds=expires_s))
        wish = a_wish(number, queue=queue, priority=priority)
        try:
            callback, is_new = self.run(self.store.request(wish, terms, by="customer"))
        except RefusedError:
            assert number in self.forbidden
            return
        assert callback.is_open
        assert is_new == (callback.callback_id not in self.known)
        self.known.setdefault(callback.callback_id, Known(callback.arrived_at))

    @rule(data=st.data(), what=st.sampled_from(CHANGES))
    def somebody_changes(self, data: st.DataObject, what: str) -> None:
        callback = self.pick(data)
        if callback is None:
            return
        callback_id, number = callback.callback_id, data.draw(st.sampled_from(NUMBERS))
        later = some_terms(callback.not_before, in_s=60)
        work: dict[str, Any] = {
            "cancel": lambda: self.store.cancel(callback_id, by="customer"),
            "expedite": lambda: self.store.expedite(callback_id, by="user eve"),
            "merge": lambda: self.store.merge(callback_id, by="customer", call_id=uuid4()),
            "move": lambda: self.store.move(callback_id, later, None, by="customer"),
            "edit": lambda: self.store.edit(callback_id, by="user eve", number=number, note="n"),
            "reassign": lambda: self.store.reassign(callback_id, by="user eve", queue="help"),
        }
        try:
            self.run(work[what]())
        except (TransitionError, RefusedError):
            return
        assert callback.is_open
        if what in ("cancel", "move", "reassign"):
            assert callback.state not in DIALLED

    @rule(
        number=st.sampled_from(NUMBERS),
        what=st.sampled_from(["allow", "allow", "allow", "allow", "forbid", "erase"]),
    )
    def a_number_changes(self, number: str, what: str) -> None:
        if what == "forbid":
            self.run(self.store.forbid(number, by="user eve"))
            self.forbidden.add(number)
        elif what == "allow":
            self.run(self.store.allow(number))
            self.forbidden.discard(number)
        else:
            self.run(self.store.erase(number, by="user eve"))

    # What the clock and the workers do.

    def the_clock_ticks(self) -> None:
        self.run(
            self.store.fall_due(
                10, (), rate_per_s=1e6, judge=lambda one, now, no: may_dial(one, QUICK, now, forbidden=no)
            )
        )

    @rule(minutes=st.sampled_from([1, 1, 1, 1, 1, 1, 1, 61]))
    def time_passes(self, minutes: int) -> None:
        """As if it had: all times are earlier."""
        self.run(
            self.database.execute(
                "UPDATE callback.callback SET not_before = not_before - make_interval(mins => $1),"
                " expires_at = expires_at - make_interval(mins => $1) WHERE ended_at IS NULL",
                minutes,
            )
        )
        for callback in self.run(self.store.expire(100)):
            assert callback.state is State.EXPIRED

    @rule(queue=st.sampled_from(QUEUES))
    def a_worker_claims_in_order(self, queue: str) -> None:
        self.the_clock_ticks()
        for claim in self.run(self.store.claim(uuid4(), LEASE_S, queue=queue, at_once=at_once, limit=5)):
            self.held.append(Held(claim))
        assert self.run(self.store.in_flight(queue)) <= max(AT_ONCE, 0) or self._moved_in(queue)

    def _moved_in(self, queue: str) -> bool:
        """Lost ones count, too, and are taken over without asking for room."""
        return any(one.queue == queue and one.state is State.RECONCILING for one in self.all())

    @rule()
    def workers_race_for_turns(self) -> None:
        self.the_clock_ticks()
        ids = [
            one.callback_id for one in self.all() if one.state is State.DUE and one.mode is Mode.AGENT_FIRST
        ]
        taken = [
            claim
            for _ in range(2)
            for claim in self.run(self.store.claim(uuid4(), LEASE_S, ids=ids, limit=1))
        ]
        assert len({claim.callback.callback_id for claim in taken}) == len(taken)
        self.held += [Held(claim) for claim in taken]

    @precondition(lambda self: self.held)
    @rule(data=st.data(), steps=st.integers(1, 8))
    def a_worker_goes_on(self, data: st.DataObject, steps: int) -> None:
        held = data.draw(st.sampled_from(self.held))
        for _ in range(steps):
            if held in self.held:
                self._goes_on(held, data)
                if held.attempt_id in self.calls and self.calls[held.attempt_id] is Fate.RINGING:
                    self.calls[held.attempt_id] = data.draw(st.sampled_from([Fate.TALKING, Fate.BUSY]))

    def _goes_on(self, held: Held, data: st.DataObject) -> None:
        before = self.run(self.store.get(held.claim.callback.callback_id))
        is_mine = (before.fence, before.worker) == (held.claim.fence, held.claim.worker)
        try:
            self._go_on(held, before, data)
        except FenceLostError:
            assert not is_mine
            self.held.remove(held)
            if held.attempt_id in self.calls and self.calls[held.attempt_id] in LIVE:
                self.calls[held.attempt_id] = Fate.NO_ANSWER
        except TransitionError:
            assert not is_mine
        # Invariant 3: whoever has lost it writes nothing.
        assert is_mine or self.run(self.store.get(before.callback_id)) == before

    def _go_on(self, held: Held, before: Callback, data: st.DataObject) -> None:
        claim, store = held.claim, self.store
        match before.state:
            case State.CLAIMED if before.mode is Mode.AGENT_FIRST:
                step = data.draw(st.sampled_from([Step.RESERVE, Step.RESERVE, Step.RELEASE]))
                self.run(store.step(claim, step))
            case State.AGENT_RESERVED:
                step = data.draw(st.sampled_from([Step.ACCEPT, Step.ACCEPT, Step.RELEASE]))
                self.run(store.step(claim, step))
            case State.CLAIMED | State.AGENT_ACCEPTED:
                self._dial(held, before)
            case State.DIALING if held.attempt_id is not None and not held.asked:
                self._ask(held, before)
            case State.DIALING if held.attempt_id is not None and held.attempt_id in self.calls:
                fate = self.calls[held.attempt_id]
                if fate is Fate.TALKING:
                    self.run(store.reached(claim, held.attempt_id))
                elif fate is not Fate.RINGING:
                    self._over(held, before, _BY_FATE[fate])
            case State.ANSWERED | State.CONFIRMING | State.WAITING_AGENT if (
                before.mode is Mode.CUSTOMER_FIRST
            ):
                onward = [
                    step for step in (Step.CONFIRM, Step.WAIT, Step.BRIDGE) if step in TABLE[before.state]
                ]
                self.run(store.step(claim, data.draw(st.sampled_from(onward))))
            case State.ANSWERED:
                self.run(store.step(claim, Step.BRIDGE))
            case State.BRIDGED:
                assert held.attempt_id is not None or not self._is_mine(held, before)
                self._over(held, before, Result.BRIDGED)
            case _:
                self.run(store.step(claim, Step.RESERVE))

    def _is_mine(self, held: Held, before: Callback) -> bool:
        return (before.fence, before.worker) == (held.claim.fence, held.claim.worker)

    def _dial(self, held: Held, before: Callback) -> None:
        attempt_id, now = uuid4(), self.run(self.store.now())
        if not self._is_mine(held, before):
            self.run(self.store.step(held.claim, Step.RELEASE))
        try:
            self.run(
                self.store.dial(
                    held.claim, attempt_id=attempt_id, gateway="g", call_id=uuid4(), ring_timeout_s=RING_S
                )
            )
        except RefusedError:
            assert before.number in self.forbidden or before.expires_at <= now
            self.run(self.store.step(held.claim, Step.REJECT))
            return
        # Invariant 9.
        assert before.number not in self.forbidden
        assert before.expires_at > now
        held.attempt_id = attempt_id

    def _ask(self, held: Held, before: Callback) -> None:
        """The network is asked to dial: the worker has stalled for less than others wait."""
        assert held.attempt_id is not None
        if not self._is_mine(held, before):
            raise FenceLostError
        held.asked = True
        # Invariant 4: the attempt is there, and nobody else is on the line with the customer for us.
        (attempt,) = [
            one
            for one in self.run(self.store.attempts_of(before.callback_id))
            if one.attempt_id == held.attempt_id
        ]
        assert attempt.ended_at is None
        known = self.known[before.callback_id]
        assert not any(self.calls[one] in LIVE for one in known.dials)
        assert held.attempt_id not in known.dials
        known.dials.append(held.attempt_id)
        self.calls[held.attempt_id] = Fate.RINGING

    def _over(self, held: Held, before: Callback, result: Result) -> None:
        if held.attempt_id is None:
            self.run(self.store.step(held.claim, Step.RELEASE))
            return
        if self.calls.get(held.attempt_id) in LIVE:
            self.calls[held.attempt_id] = Fate.ANSWERED
        self._record(held.claim, before, held.attempt_id, result, dialled=True)

    def _record(
        self, claim: Claim, before: Callback, attempt_id: UUID, result: Result, *, dialled: bool
    ) -> None:
        now = self.run(self.store.now())
        following = after_attempt(result, before, QUICK, now, 0.5, dialled=dialled)
        after = self.run(
            self.store.over(
                claim,
                attempt_id,
                result,
                following.step,
                counted=following.counted,
                not_before=following.not_before,
                cause=following.cause,
                apologise=following.apologise or None,
            )
        )
        assert after.attempts == before.attempts + following.counted

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), to=st.sampled_from([Fate.TALKING, Fate.BUSY, Fate.NO_ANSWER, Fate.ANSWERED]))
    def the_network_moves(self, data: st.DataObject, to: Fate) -> None:
        attempt_id = data.draw(st.sampled_from(list(self.calls)))
        fate = self.calls[attempt_id]
        if (fate is Fate.RINGING and to is not Fate.ANSWERED) or (
            fate is Fate.TALKING and to is Fate.ANSWERED
        ):
            self.calls[attempt_id] = to

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), event_id=st.sampled_from(["1", "2"]))
    def the_network_tells(self, data: st.DataObject, event_id: str) -> None:
        attempt_id = data.draw(st.sampled_from(list(self.calls)))
        is_new = self.run(self.store.gateway_event(attempt_id, event_id, "ringing"))
        assert is_new == ((attempt_id, event_id) not in self.told)
        self.told.add((attempt_id, event_id))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), is_dead=st.booleans())
    def a_worker_is_lost(self, data: st.DataObject, is_dead: bool) -> None:
        """Killed, or asleep for longer than its lease: then it will try to go on."""
        held = data.draw(st.sampled_from(self.held))
        self.run(
            self.database.execute(
                "UPDATE callback.callback SET lease_until = clock_timestamp() - interval '1 second'"
                " WHERE callback_id = $1 AND fence = $2 AND worker = $3",
                held.claim.callback.callback_id,
                held.claim.fence,
                held.claim.worker,
            )
        )
        if is_dead:
            self.held.remove(held)

    @rule(knows=st.sampled_from([True, True, False]), age_s=st.sampled_from([1.0, 15.0, 60.0]))
    def others_clean_up(self, knows: bool, age_s: float) -> None:
        """``knows``: the network can tell. ``age_s``: how long ago it was dialled."""
        for callback in self.run(self.store.release_lost(10)):
            assert callback.state is State.DUE
        for claim in self.run(self.store.take_lost(uuid4(), 0.0, 10)):
            self._settle(claim, age_s, knows=knows)

    def _settle(self, claim: Claim, age_s: float, *, knows: bool) -> None:
        attempt = self.run(self.store.open_attempt(claim.callback.callback_id))
        assert attempt is not None
        while True:
            fate = self.calls.get(attempt.attempt_id, Fate.NEVER) if knows else Fate.UNKNOWN
            match decide(Found(fate), attempt, age_s, MARGIN_S):
                case Wait():
                    return
                case HangUp():
                    self.calls[attempt.attempt_id] = Fate.ANSWERED if fate is Fate.TALKING else Fate.NO_ANSWER
                case Settle(result, dialled):
                    if result is Result.UNKNOWN and self.calls.get(attempt.attempt_id) in LIVE:
                        # So long after the dialling nobody's telephone rings any more.
                        self.calls[attempt.attempt_id] = Fate.ANSWERED
                    self._record(claim, claim.callback, attempt.attempt_id, result, dialled=dialled)
                    return

    # What always holds.

    @invariant()
    def nothing_is_broken(self) -> None:
        callbacks = self.all()
        open_ones = [(one.queue, one.number) for one in callbacks if one.is_open and one.number]
        assert len(open_ones) == len(set(open_ones))
        for callback in callbacks:
            self._check(callback)

    def _check(self, callback: Callback) -> None:
        known = self.known[callback.callback_id]
        assert callback.arrived_at == known.arrived_at
        assert callback.fence >= known.fence
        known.fence = callback.fence
        if known.ended is not None:
            assert callback.state is known.ended.state
            assert callback.ended_at == known.ended.ended_at
        elif not callback.is_open:
            known.ended = callback
        attempts = self.run(self.store.attempts_of(callback.callback_id))
        still_open = [one for one in attempts if one.ended_at is None]
        assert len(still_open) == (callback.state in DIALLED | {State.RECONCILING})
        assert callback.attempts == sum(one.counted for one in attempts) <= callback.attempts_max
        assert (callback.lease_until is None) == (callback.worker is None)
        if callback.state in CLAIMED | DIALLED:
            assert callback.worker is not None
        for attempt in attempts:
            if attempt.counted and attempt.result is not Result.UNKNOWN:
                assert attempt.attempt_id in known.dials


def test_nothing_that_happens_breaks_an_invariant(database_url: str) -> None:
    Machine.url = database_url
    for again in reversed(range(RUNS)):
        try:
            _run()
            return
        except FlakyStrategyDefinition:
            # The database's clock and ids make no two runs alike, so choices of one need not fit the next:
            # nothing was broken, but the search ends. A broken invariant is another error, and fails at once.
            if not again:
                raise


def _run() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
