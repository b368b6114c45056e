"""Is it a person who has picked up? And what is said to a machine."""

import asyncio
import logging
from contextlib import suppress

from callcenter.call.callback_record import CallbackRecord
from callcenter.call.context import CallContext
from callcenter.media.answering_machine import DECIDE_S, MachineDetector, Verdict

log = logging.getLogger(__name__)

MARGIN_S = 1.0
"""Gateways that send nothing in silence let the detector's own time stand still."""
BEEP_WITHIN_S = 30.0
QUIET_S = 2.5
"""A machine that has spoken and is silent for so long listens, beep or none."""


class MachinePhase:
    """The first seconds of a customer's call."""

    def __init__(self, context: CallContext, record: CallbackRecord) -> None:
        self._context = context
        self._record = record
        self._detector = MachineDetector()
        self._decided = asyncio.Event()
        self._listening = asyncio.Event()

    async def is_machine(self) -> bool:
        """Listen until it shows, or until they hang up; who may be either is a person."""
        self._context.caller.listen(self._hear)
        await _first_of(self._decided, self._context.caller.gone, within_s=DECIDE_S + MARGIN_S)
        verdict = self._detector.verdict or Verdict.UNSURE
        log.info("call %s: it is a %s that has answered", self._context.call_id, verdict.value)
        if verdict is not Verdict.MACHINE:
            self._context.caller.listen(None)
        return verdict is Verdict.MACHINE

    async def leave_message(self) -> bool:
        """Wait for the beep and say what the queue has to say; true when it was all played."""
        rules, caller = self._record.rules, self._context.caller
        self._listening.clear()  # before the greeting it was silent, too
        try:
            if rules.machine == "retry":
                return False
            language = self._record.callback.language
            pcm16 = await self._context.services.prompts.pcm(rules.machine_message, language=language)
            with suppress(TimeoutError):
                async with asyncio.timeout(BEEP_WITHIN_S):
                    await self._listening.wait()
            return await caller.play(pcm16)
        finally:
            caller.listen(None)

    async def _hear(self, pcm16: bytes, _at_ms: int | None) -> None:
        detector = self._detector
        if detector.feed(pcm16) is not None:
            self._decided.set()
        if detector.beeped or detector.silent_s >= QUIET_S:
            self._listening.set()


async def _first_of(*events: asyncio.Event, within_s: float) -> None:
    waits = [asyncio.create_task(event.wait(), name="who has picked up") for event in events]
    try:
        await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
