from datetime import date
from zoneinfo import ZoneInfo

import pytest

from callcenter import staffing_commands
from callcenter.errors import UsageError
from callcenter.staffing_commands import _intervals


@pytest.mark.parametrize(("day", "intervals"), [("2026-03-29", 46), ("2026-03-30", 48), ("2026-10-25", 48)])
def test_an_hour_that_the_clocks_jump_over_needs_nobody(day: str, intervals: int) -> None:
    starts, calls = _intervals({date.fromisoformat(day): (1.0,) * 48}, 30, ZoneInfo("Europe/Berlin"))
    assert len(starts) == len(calls) == intervals
    assert starts == sorted(starts)


def test_without_the_extra_there_is_a_simpler_forecast_and_no_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(staffing_commands, "find_spec", lambda name: None)
    assert staffing_commands._trend() is None
    with pytest.raises(UsageError, match="--plot needs matplotlib"):
        staffing_commands._plotting()
