"""What a call begins with: the flow that answers it, and what is known of the caller."""

import asyncio
import logging
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import ivr
from callback.errors import RefusedError
from callback.numbers import plain
from callback.wording import Wording
from callcenter.call.services import CallServices
from callcenter.errors import StorageError
from callcenter.storage.history import CallerHistory
from callcenter.telephony.port import LegInfo

log = logging.getLogger(__name__)

RECOGNISE_WITHIN_S = 1.0
"""The longest a caller waits in silence to be recognised; after that they are unknown."""

WITHHELD = frozenset({"266696687", "7378742833", "2562533", "8656696", "86282452253"})
"""What Twilio sends for numbers that are withheld: ANONYMOUS, RESTRICTED and the like, spelt on the keys."""

CLOSED_MESSAGE = "We are closed at the moment. Please call again later."


async def receive(services: CallServices, call_id: UUID, caller: LegInfo, at: datetime) -> ivr.Engine:
    """The engine that takes a caller through their flow, or says that it is closed and ends the call.

    A flow that looks at ``closed`` decides itself what its callers meet then. Raises ``NotFoundError`` for a
    number that no flow answers.
    """
    flow = services.flow_for(caller.to_number)
    closure = services.closures.of_call(flow.name, services.now())
    variables = {"call_id": str(call_id), "closed": "no" if closure is None else "yes"}
    if closure is not None:
        message = closure.message or CLOSED_MESSAGE
        variables["closure_message"] = message
        if not ivr.reads(flow, ("closed", "closure_message")):
            flow = ivr.closing(flow, message)
    if ivr.reads(flow, tuple(sorted(ivr.RECOGNISED_VARIABLES))):
        before, after = await asyncio.gather(
            _recognised(services, call_id, caller.from_number, at),
            _called_back(services, call_id, caller.from_number, flow.language),
        )
        variables |= before | after
    hears = services.recognizer is not None
    return ivr.Engine(flow, variables, caller=caller.from_number, called=caller.to_number, hears=hears)


def is_withheld(number: str) -> bool:
    """Whether nobody can be called, or recognised, by what the network says is the caller's number."""
    return not any(character.isdigit() for character in number) or number.lstrip("+") in WITHHELD


async def _recognised(services: CallServices, call_id: UUID, number: str, at: datetime) -> dict[str, str]:
    """What earlier calls say; nobody is recognised by a number that is withheld."""
    history = CallerHistory()
    if not is_withheld(number):
        days = services.settings.ivr.recognise_days
        try:
            async with asyncio.timeout(RECOGNISE_WITHIN_S):
                history = await services.history.of_number(number, call_id, at, days)
        except (StorageError, TimeoutError) as error:
            log.warning(
                "call %s: the caller is not recognised: %s",
                call_id,
                error or f"no answer within {RECOGNISE_WITHIN_S:g} s",
            )
    return {
        "caller_known": "yes" if history.calls else "no",
        "caller_calls": str(history.calls),
        "last_agent": history.last_agent,
        "last_queue": history.last_queue,
        "last_outcome": history.last_outcome,
        "last_call_days": "" if history.last_at is None else str(max((at - history.last_at).days, 0)),
    }


async def _called_back(
    services: CallServices, call_id: UUID, from_number: str, language: str
) -> dict[str, str]:
    """Whether this customer has an open callback, and when the call was promised."""
    callback = None
    try:
        if not is_withheld(from_number):
            async with asyncio.timeout(RECOGNISE_WITHIN_S):
                callbacks = await services.callbacks.desk.open_of(plain(from_number))
            callback = min(callbacks, key=lambda one: one.promised_from, default=None)
    except RefusedError:
        log.info("call %s: the caller's number is none that is called back", call_id)
    except (StorageError, TimeoutError) as error:
        log.warning("call %s: callbacks are not looked for: %s", call_id, error or "no answer in time")
    window = ""
    if callback is not None:
        zone = ZoneInfo(callback.zone)
        start = (callback.slot_start or callback.promised_from).astimezone(zone)
        window = Wording(language).when(start, services.now().astimezone(zone).date())
    return {"open_callback": "no" if callback is None else "yes", "callback_window": window}
