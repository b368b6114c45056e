"""Thresholds for one report, in place of the settings' own."""

from pydantic import ValidationError

from callcenter.config import Metrics
from callcenter.errors import UsageError


def changed_thresholds(
    settings: Metrics,
    *,
    service_level_s: float | None = None,
    short_abandon_s: float | None = None,
    target: float | None = None,
) -> Metrics:
    """The settings with what is given in its place; raises ``UsageError`` for what settings may not be."""
    given = {
        "service_level_s": service_level_s,
        "short_abandon_s": short_abandon_s,
        "service_level_target": target,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    try:
        return Metrics.model_validate(settings.model_dump() | changes)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        name = str(problem["loc"][-1]).replace("service_level_target", "target").replace("_", "-")
        raise UsageError(f"{name}: {problem['msg'][0].lower()}{problem['msg'][1:]}") from None
