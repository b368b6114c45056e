"""What goes on beside the calls: clearing up after processes that died and tokens nobody used."""

import asyncio
import itertools
import logging
from datetime import tzinfo
from uuid import UUID

from callcenter.call.repair import repair
from callcenter.call.services import CallServices
from callcenter.errors import StorageError
from callcenter.reports.rollups import Rollups
from callcenter.storage.nodes import Nodes
from callcenter.storage.page_codes import PageCodes
from callcenter.storage.pool import Database
from callcenter.storage.recovery import Recovery

log = logging.getLogger(__name__)

EVERY_S = 5.0
PURGE_EVERY_ROUNDS = 120
SETTLE_EVERY_S = 2.0
ADD_UP_EVERY_ROUNDS = 30
KEEP_KEYS_S = 86_400
"""Idempotency keys; the API's document says so."""


async def keep_house(nodes: Nodes, database: Database, services: CallServices) -> None:
    """Look after dead processes and stale tokens until cancelled; an outage only delays it."""
    recovery = Recovery(database, services.node_id)
    for round_ in itertools.count():
        try:
            for dead in await nodes.dead():
                await _clear_up(dead, nodes, recovery, services)
            if round_ % PURGE_EVERY_ROUNDS == 0:
                await services.leg_tokens.purge()
                await PageCodes(database).purge()
                await _forget_callbacks(services)
        except StorageError as error:
            log.warning("housekeeping waits: %s", error)
        except Exception:
            log.exception("housekeeping failed; it goes on")
        await asyncio.sleep(EVERY_S)


async def _forget_callbacks(services: CallServices) -> None:
    store = services.callbacks.store
    await store.forget_keys(KEEP_KEYS_S)
    while await store.forget_old(services.settings.callbacks.keep_days):
        pass


async def keep_rollups(rollups: Rollups, zone: tzinfo) -> None:
    """Bring what reports are made of up to date until cancelled; reports do not depend on it, only faster."""
    for round_ in itertools.count():
        try:
            await rollups.settle_all()
            if round_ % ADD_UP_EVERY_ROUNDS == 0:
                await rollups.add_up_days(zone)
        except StorageError as error:
            log.warning("what reports are made of waits: %s", error)
        except Exception:
            log.exception("bringing reports up to date failed; it goes on")
        await asyncio.sleep(SETTLE_EVERY_S)


async def _clear_up(dead: UUID, nodes: Nodes, recovery: Recovery, services: CallServices) -> None:
    recovered = await recovery.recover_node(dead)
    log.warning("process %s died; %d of its calls were ended as failed", dead, len(recovered.calls))
    compress = services.settings.recording.format == "flac"
    await repair(recovered.recordings, services.recordings, services.recordings_dir, compress=compress)
    await nodes.forget(dead)
