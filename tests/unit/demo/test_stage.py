"""What is checked and prepared before anything runs."""

import os
import socket
import stat
from contextlib import closing
from pathlib import Path

import pytest

import callcenter
from callcenter import config
from callcenter.demo import stage
from callcenter.demo.options import DemoOptions
from callcenter.errors import UsageError
from callcenter.flows import load_flows


def test_a_small_day_and_a_large_one() -> None:
    assert len(stage.plan(DemoOptions(calls=3, agents=1)).callers) == 3
    large = stage.plan(DemoOptions(calls=200, agents=2))
    assert large.deadline_s == 3000
    assert stage.plan(DemoOptions()).deadline_s == 150


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (DemoOptions(agents=101), "--agents must be at most 100"),
        (DemoOptions(calls=0), "--calls and --agents must be at least 1"),
        (DemoOptions(agents=0), "--calls and --agents must be at least 1"),
    ],
)
def test_days_that_cannot_be(options: DemoOptions, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        stage.plan(options)


def test_a_free_port_and_a_chosen_one() -> None:
    with closing(stage.listen(0)) as free:
        assert free.getsockname()[1] > 0


def test_a_chosen_port_that_is_taken_is_an_error() -> None:
    with closing(stage.listen(0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"):
            stage.listen(port)


def test_the_default_port_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(stage.listen(0)) as taken:
        monkeypatch.setattr(stage, "DEFAULT_PORT", taken.getsockname()[1])
        with closing(stage.listen(stage.DEFAULT_PORT)) as other:
            assert other.getsockname()[1] != stage.DEFAULT_PORT


@pytest.mark.parametrize("port", [65536, -1])
def test_ports_that_do_not_exist(port: int) -> None:
    with pytest.raises(UsageError, match="--port"):
        stage.listen(port)


def test_json_file(tmp_path: Path) -> None:
    stage.check_json_file(None)
    stage.check_json_file(tmp_path / "new.json")
    assert not (tmp_path / "new.json").exists()
    with pytest.raises(UsageError, match="is a folder"):
        stage.check_json_file(tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        stage.check_json_file(tmp_path / "missing" / "new.json")
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(UsageError, match="cannot be written"):
            stage.check_json_file(tmp_path / "new.json")


def test_settings_are_valid_and_secret(tmp_path: Path) -> None:
    scenario, credentials = stage.plan(DemoOptions(agents=5)), stage.Credentials()
    path = stage.write_settings(tmp_path, scenario, stage.flow_file(), "http://127.0.0.1:9", credentials)
    settings = config.load(path, environ={})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert settings.data_dir == tmp_path / stage.DATA
    assert settings.gateways.twilio.auth_token.get_secret_value() == credentials.auth_token
    assert [agent.id for agent in settings.agents] == [agent.id for agent in scenario.agents]
    assert set(load_flows(settings)) == {"*"}


def test_credentials_differ_and_are_not_shown() -> None:
    one, other = stage.Credentials(), stage.Credentials()
    assert one != other
    assert one.auth_token not in repr(one)


def test_outside_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(callcenter, "__file__", str(tmp_path / "callcenter" / "__init__.py"))
    with pytest.raises(UsageError, match="the demo runs from a checkout"):
        stage.flow_file()


def test_the_socket_can_be_inherited(tmp_path: Path) -> None:
    with closing(stage.listen(0)) as sock:
        assert sock.type is socket.SOCK_STREAM
        with closing(socket.create_connection(sock.getsockname(), timeout=1)):
            pass
