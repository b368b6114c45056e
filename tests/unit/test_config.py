"""Settings: whatever is in the file or in the variables, the answer is settings or one line."""

from pathlib import Path

import pytest

from callcenter import config
from callcenter.errors import ConfigError


def problem(tmp_path: Path, text: str, **environ: str) -> str:
    path = tmp_path / "callcenter.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(path, environ)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("log_level: 2026-13-45\n", ": month must be in 1..12"),
        ("queues: &a [*a]\n", ": nested too deeply, or a part that contains itself"),
        ("queues: " + "[" * 2000 + "]" * 2000, ": nested too deeply, or a part that contains itself"),
        ("queues: [\n", ":2: expected the node content, but found '<stream end>'"),
        ("- a\n", ":1: the file must hold keys and values, not a list"),
        ("server:\n  prot: 1\n", ":2: server.prot: Extra inputs are not permitted"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    assert problem(tmp_path, text) == message


def test_a_bad_variable_is_named_and_not_the_file(tmp_path: Path) -> None:
    good = "server:\n  port: 1\n"
    message = problem(tmp_path, good, CALLCENTER_SERVER__PORT="x")
    assert message.startswith("CALLCENTER_SERVER__PORT: server.port: Input should be a valid integer")
    message = problem(tmp_path, good, CALLCENTER_PROT="1")
    assert message == "CALLCENTER_PROT: prot: Extra inputs are not permitted"
    message = problem(tmp_path, good, CALLCENTER_QUEUES="[{name: 'A b'}]")
    assert message.startswith("CALLCENTER_QUEUES: queues.0.name: ")


def test_a_list_in_a_variable_that_is_not_yaml_does_not_show_its_value(tmp_path: Path) -> None:
    message = problem(tmp_path, "", CALLCENTER_DATABASE__URL="[secret")
    assert message == "CALLCENTER_DATABASE__URL: begins like a list or a section, but is not valid YAML"


def test_variables_override_the_file_and_empty_ones_do_not(tmp_path: Path) -> None:
    path = tmp_path / "callcenter.yaml"
    path.write_text("server:\n  port: 1\n  public_url: https://cc.example.com\n")
    environ = {
        "CALLCENTER_CONFIG": str(path),
        "CALLCENTER_SERVER__PORT": "2",
        "CALLCENTER_SERVER__PUBLIC_URL": "",
        "CALLCENTER_QUEUES": "[{name: sales}]",
    }
    settings = config.load(path, environ)
    assert (settings.server.port, settings.server.public_url) == (2, "https://cc.example.com")
    assert [queue.name for queue in settings.queues] == ["sales"]


def test_settings_with_which_no_call_comes_in_are_doubted() -> None:
    def doubted(**values: object) -> list[str]:
        return [doubt.partition(":")[0] for doubt in config.doubts(config.Settings.model_validate(values))]

    twilio = {"enabled": True, "account_sid": "AC1", "auth_token": "x"}
    asterisk = {"enabled": True, "token": "0123456789abcdef"}
    routes = [{"number": "*", "flow": "flow.yaml"}]
    queues, agents = [{"name": "q"}], [{"id": "ann", "address": "x", "gateway": "asterisk", "queues": ["q"]}]
    assert doubted() == ["gateways", "routes"]
    assert doubted(gateways={"twilio": twilio}, routes=routes, queues=queues, agents=agents) == [
        "server.public_url",
        "agent ann",
    ]
    assert doubted(gateways={"asterisk": asterisk}, routes=routes) == ["gateways.asterisk.ari_url"]
    public = {"public_url": "https://cc.example.com"}
    assert doubted(gateways={"twilio": twilio}, routes=routes, server=public) == []
    reached = {"gateways": {"twilio": twilio}, "routes": routes, "server": public}
    world = [{"name": "q", "callback": {"enabled": True, "regions": ["*"]}}]
    assert doubted(**reached, queues=world) == ["queue q"]
    assert doubted(**reached, queues=world, callbacks={"page": {"enabled": False}}) == []
