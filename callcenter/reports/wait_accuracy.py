"""How right estimated waits were, as JSON and as text."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from callcenter.config import Settings
from callcenter.errors import NotFoundError
from callcenter.storage.migrate import Migrations
from callcenter.storage.pool import Database
from callcenter.storage.queues import QueueRows
from callcenter.storage.wait_estimates import Accuracy, WaitEstimates

_COLUMNS = ("", "estimates", "told", "served", "bias s", "MAE s", "p90 coverage")


async def read_wait_accuracy(
    settings: Settings, since: datetime, until: datetime, queue: str | None = None
) -> list[Accuracy]:
    """Open the database and read; the schema is brought up to date first.

    Raises ``NotFoundError`` for a queue that has neither settings nor a past, ``StorageError``.
    """
    async with Database.open(settings, application_name="callcenter report") as database:
        await Migrations(database).upgrade()
        found = await WaitEstimates(database).accuracy(since, until, queue)
        known = {record.queue.name for record in await QueueRows(database).all()}
    known |= {each.name for each in settings.queues} | {one.queue for one in found if one.queue is not None}
    if queue is not None and queue not in known:
        raise NotFoundError(f"no such queue: {queue}")
    return found


def accuracy_to_json(found: Sequence[Accuracy], since: datetime, until: datetime) -> dict[str, Any]:
    """All estimates, and by queue, by what they were made from, and by the moment they were made.

    ``bias_s`` above 0: told too much. Errors are those of the p50, of callers who were answered; ``None``
    where there are none.
    """
    total, queues, methods, moments = _divided(found)
    return {
        "from": since.isoformat(),
        "to": until.isoformat(),
        "total": _figures(total),
        "by_queue": {name: _figures(one) for name, one in queues},
        "by_method": {name: _figures(one) for name, one in methods},
        "by_moment": {name: _figures(one) for name, one in moments},
    }


def accuracy_to_text(found: Sequence[Accuracy]) -> str:
    """A table."""
    total, queues, methods, moments = _divided(found)
    rows = [_COLUMNS, ("all", *_cells(total))]
    for kind, part in (("queue", queues), ("method", methods), ("made at", moments)):
        rows += [(f"{kind} {name}", *_cells(one)) for name, one in part]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "".join(_line(row, widths) for row in rows)


def _line(row: Iterable[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
    return "  ".join(cells).rstrip() + "\n"


_Part = list[tuple[str, Accuracy]]


def _divided(found: Sequence[Accuracy]) -> tuple[Accuracy, _Part, _Part, _Part]:
    total = Accuracy(None, None, None, 0, 0, 0, None, None, None)
    queues: _Part = []
    methods: _Part = []
    moments: _Part = []
    for one in found:
        if one.queue is not None:
            queues.append((one.queue, one))
        elif one.method is not None:
            methods.append((one.method, one))
        elif one.at_entry is not None:
            moments.append(("entry" if one.at_entry else "announcement", one))
        else:
            total = one
    return total, queues, methods, moments


def _figures(one: Accuracy) -> dict[str, Any]:
    return {
        "estimates": one.estimates,
        "told": one.told,
        "served": one.served,
        "bias_s": one.bias_s,
        "mae_s": one.mae_s,
        "p90_coverage": one.p90_coverage,
    }


def _cells(one: Accuracy) -> tuple[str, ...]:
    errors = ["-" if value is None else f"{value:.1f}" for value in (one.bias_s, one.mae_s)]
    coverage = "-" if one.p90_coverage is None else f"{one.p90_coverage:.1%}"
    return str(one.estimates), str(one.told), str(one.served), *errors, coverage
