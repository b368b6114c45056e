"""A claimed callback, kept in step with the call that carries it out.

While nobody talks every step is committed before the call goes on. A conversation waits for nothing: its
steps follow it in order, and where they fail, because the lease was lost or the database is away, it goes on.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from callback import policy
from callback.errors import FenceLostError, NotFoundError, RefusedError, TransitionError
from callback.options import RulesOf
from callback.refusal import Refusal
from callback.request import Callback, Claim, Result, Slot, Terms
from callback.state import CLAIMED, DIALLED, Step, after
from callback.store import Store
from callcenter.errors import CallCenterError, StorageError
from callcenter.storage.pool import retrying

log = logging.getLogger(__name__)

PATIENCE_S = 20.0
"""How long the call waits for a database that is away, before the customer has picked up."""
FOLLOW_S = 600.0
"""How long what has happened on the line waits to be noted, while the line goes on."""
BRIEFLY_S = 3.0
"""How long with the customer on the line."""

_NEVER = {Refusal.EXPIRED: Step.EXPIRE}


class LetGoError(CallCenterError):
    """The callback is somebody else's by now, or has ended: nobody may be dialled for it any more."""


class CallbackRecord:
    """One claim. ``settled`` is set when the callback needs this call no more.

    ``attempt_id`` names the attempt that this call may make, ``committed_s`` is when it was about to be
    committed, on the loop's clock; ``has_apologised`` is for the call to set. The steps raise
    ``LetGoError``, and ``StorageError`` when the database is away for too long.
    """

    def __init__(self, claim: Claim, store: Store, rules: RulesOf, now: Callable[[], datetime]) -> None:
        self.claim = claim
        self.callback = claim.callback
        self.rules = rules(claim.callback.queue)
        self.attempt_id = uuid4()
        self.settled = asyncio.Event()
        self._is_closing = False
        self.committed_s = 0.0
        self.is_dialled = False
        self.was_bridged = False
        self.has_apologised = False
        self._rules_of = rules
        self._store = store
        self._now = now
        self._followed: asyncio.Task[None] | None = None

    @property
    def callback_id(self) -> UUID:
        """Whose claim it is."""
        return self.claim.callback.callback_id

    @property
    def is_closing(self) -> bool:
        """Whether nothing more need be recorded."""
        return self._is_closing or self.settled.is_set()

    async def is_lost(self) -> bool:
        """Whether somebody else has it by now, or has ended it; not where the database does not say."""
        try:
            current = await self._store.get(self.callback_id)
        except NotFoundError:
            return True
        except StorageError:
            return False
        return current.fence != self.claim.fence or current.state not in CLAIMED | DIALLED

    # Before the customer is on the line.

    async def step(self, step: Step, *, cause: str = "", not_before: datetime | None = None) -> None:
        """Take a step that needs nothing more."""
        await self._take(lambda: self._store.step(self.claim, step, cause=cause, not_before=not_before))

    async def release(self, cause: str) -> None:
        """Give the claim back, nobody was dialled: due again at its old place."""
        await self.step(Step.RELEASE, cause=cause)
        self.settled.set()

    async def put_off(self, cause: str, seconds: float) -> None:
        """Give the claim back, nobody was dialled: due again after a while, at its old place."""
        not_before = self._now() + timedelta(seconds=seconds)
        await self.step(Step.QUEUE, cause=cause, not_before=not_before)
        self.settled.set()

    async def may_dial(self) -> str:
        """Ask the rules once more; returns why not, having put it off or ended it, or nothing."""
        await self._refresh()
        # While the agent's telephone rang the queue may have been closed, paused or removed.
        rules = self._rules_of(self.callback.queue)
        verdict = policy.may_dial(self.callback, rules, self._now())
        match verdict:
            case policy.Dial():
                return ""
            case policy.PutOff(until, cause):
                await self.step(Step.QUEUE, cause=cause, not_before=until)
            case policy.Expire(cause):
                await self.step(Step.EXPIRE, cause=cause)
            case policy.Reject(cause):
                await self.step(Step.REJECT, cause=cause)
        self.settled.set()
        return cause

    async def dial(self, gateway: str, call_id: UUID) -> str:
        """Commit the attempt; from now on the customer may be dialled. Returns why not, or nothing."""
        await self._refresh()
        self.committed_s = asyncio.get_running_loop().time()
        try:
            await retrying(
                lambda: self._store.dial(
                    self.claim,
                    attempt_id=self.attempt_id,
                    gateway=gateway,
                    call_id=call_id,
                    ring_timeout_s=self.rules.ring_s,
                ),
                deadline_s=BRIEFLY_S,
            )
        except (FenceLostError, TransitionError, NotFoundError) as error:
            raise LetGoError(str(error)) from error
        except RefusedError as error:
            await self.step(_NEVER.get(error.refusal, Step.REJECT), cause=error.refusal.value)
            self.settled.set()
            return error.refusal.value
        self.is_dialled = True
        self.callback = replace(self.callback, state=after(self.callback.state, Step.DIAL))
        return ""

    async def dialled(self, call_ref: str) -> None:
        """Keep the network's name for the call; who looks for it later finds it without, too."""
        try:
            await self._store.dialled(self.claim, self.attempt_id, call_ref)
        except (FenceLostError, TransitionError, NotFoundError, StorageError) as error:
            log.info("callback %s: the network's call is not noted: %s", self.callback_id, error)

    async def other_calls(self, number: str) -> frozenset[str]:
        """The network's names for other calls to the number, which are nobody's here to hang up."""
        return await self._store.other_calls(number, self.attempt_id)

    async def over(
        self,
        result: Result,
        *,
        dialled: bool = True,
        message_left: bool = False,
        not_before: datetime | None = None,
        slot: Slot | None = None,
        terms: Terms | None = None,
    ) -> None:
        """The attempt is over: what follows is for the rules to say.

        ``not_before`` is the earliest time where there is one beside the rules' own; ``terms`` are those of
        another time that the customer has chosen. Raises ``RefusedError`` for a slot that has become full.
        """
        await self._caught_up()
        now = self._now()
        following = policy.after_attempt(
            result,
            self.callback,
            self.rules,
            now,
            random.random(),  # noqa: S311  # scatters retries
            dialled=dialled,
            message_left=message_left,
        )
        at = following.not_before if terms is None else None
        if at is not None and not_before is not None:
            at = max(at, not_before)
        await self._take(
            lambda: self._store.over(
                self.claim,
                self.attempt_id,
                result,
                following.step,
                counted=following.counted,
                not_before=at,
                cause=following.cause,
                apologise=following.apologise or (False if self.has_apologised else None),
                slot=slot,
                terms=terms,
            ),
        )
        self.settled.set()

    def after_ringing(self, margin_s: float) -> datetime:
        """When a telephone that may still ring for this attempt has stopped for certain."""
        return self._now() + timedelta(seconds=self.rules.ring_s + margin_s)

    # The customer is on the line.

    async def reached(self) -> None:
        """The customer has picked up. A database that is away keeps nobody waiting for long."""
        try:
            self.callback = await retrying(
                lambda: self._store.reached(self.claim, self.attempt_id), deadline_s=BRIEFLY_S
            )
        except (FenceLostError, TransitionError, NotFoundError) as error:
            raise LetGoError(str(error)) from error
        except StorageError as error:
            log.warning("callback %s: that it is answered is noted later: %s", self.callback_id, error)
            # Not left out: whatever comes after it would be refused.
            self._note(Step.ANSWER, lambda: self._store.reached(self.claim, self.attempt_id))

    def follow(self, step: Step) -> None:
        """Note what has happened on the line; in order, while the line goes on."""
        self.was_bridged = self.was_bridged or step is Step.BRIDGE
        self._note(step, lambda: self._store.step(self.claim, step))

    async def close(self, result: Result | None, *, not_before: datetime | None = None) -> None:
        """Record the outcome if that can be done, ``None`` where nobody was dialled; the call goes on."""
        if self.is_closing:
            return
        self._is_closing = True
        try:
            if result is None:
                await self.release("the call has failed")
            else:
                await self.over(result, not_before=not_before)
        except (CallCenterError, RefusedError) as error:
            log.warning("callback %s is left to its lease: %s", self.callback_id, error)
        finally:
            self.settled.set()

    def _note(self, step: Step, operation: Callable[[], Awaitable[Callback]]) -> None:
        name = f"{step.value} of callback {self.callback_id}"
        self._followed = asyncio.create_task(self._follow(operation, self._followed), name=name)

    async def _follow(
        self, operation: Callable[[], Awaitable[Callback]], before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await before
        try:
            await self._take(operation, FOLLOW_S)
        except CallCenterError as error:
            log.warning("callback %s goes on without its record: %s", self.callback_id, error)

    async def _caught_up(self) -> None:
        if self._followed is not None:
            await self._followed

    # How it is done.

    async def _refresh(self) -> None:
        """What people have changed since it was claimed, such as the number."""
        self.callback = await retrying(lambda: self._store.get(self.callback_id), deadline_s=PATIENCE_S)
        if self.callback.fence != self.claim.fence:
            raise LetGoError("another worker has it")

    async def _take(
        self, operation: Callable[[], Awaitable[Callback]], patience_s: float = PATIENCE_S
    ) -> None:
        """Run it until the database has taken it; it may be repeated where an outage hid that it had."""
        try:
            self.callback = await retrying(operation, deadline_s=patience_s)
        except (FenceLostError, TransitionError, NotFoundError) as error:
            raise LetGoError(str(error)) from error
