from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callcenter import staffing_commands
from callcenter.cli import main
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--calls", "-1", "--aht", "180"), "--calls must be between 0 and 1000000, not -1"),
        (("--calls", "10"), "--aht is needed"),
        (("--calls", "10", "--aht", "-180"), "handle time must be above 0 s, not -180"),
        (("--calls", "10", "--aht", "180", "--target", "1.2"), "target must lie between 0 and 1, not 1.2"),
        (("--calls", "10", "--aht", "180", "--within", "-1"), "time to answer must be 0 s or more, not -1"),
        (("--calls", "10", "--aht", "180", "--patience", "0"), "patience must be above 0 s, not 0"),
        (("--calls", "10", "--aht", "180", "--shrinkage", "1"), "shrinkage must be at least 0 and below 1"),
        (("--calls", "10", "--aht", "180", "--what-if", "more"), "'more' is no change"),
        (("--calls", "10", "--aht", "180", "--plot", "plan.gif"), "must end with .png or .svg"),
        (("--calls", "10", "--aht", "180", "--from", "soon"), "--from: 'soon' is no day"),
        (("--csv", "nowhere.csv", "--aht", "180"), "nowhere.csv: No such file"),
        (("--from", "2026-03-02", "--to", "2026-03-01"), "the range is empty"),
        (("--from", "2026-03-02", "--to", "2027-03-01"), "longer than 92 days"),
        (("--closed", "xmas", "--csv", "nowhere.csv"), "nowhere.csv: No such file"),
        (("--weeks", "0"), "--weeks must be between 1 and 520, not 0"),
        (("--history", "--calls", "10"), "not allowed with argument"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    settings = tmp_path / "callcenter.yaml"
    settings.write_text("data_dir: data\n")
    try:
        status = main(["staffing", *arguments, "--config", str(settings)])
    except SystemExit as exit_:
        status = exit_.code
    said = capsys.readouterr().err
    assert status == 2
    assert len(said.splitlines()) == 1
    assert message in said
    assert not (tmp_path / "data").exists()
