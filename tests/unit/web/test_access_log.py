import pytest

from callcenter.web.access_log import masked

CALL = "0195a3c0-1111-7222-8333-123456789012"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/v1/calls", "/api/v1/calls"),
        (f"/api/v1/calls/{CALL}/hold", f"/api/v1/calls/{CALL}/hold"),
        ("/numbers/+15125550123", "/numbers/***23"),
        ("/numbers/%2B15125550123", "/numbers/***23"),
        ("/numbers/15125550123/x", "/numbers/***23/x"),
        ("/sign-in/cc_abcDEF-123_4", "/sign-in/cc_***"),
        (f"/callback/{'aB-_' * 21}/move", "/callback/***/move"),
        ("/callback/code", "/callback/code"),
        (f"/api/v1/callbacks/{CALL}", f"/api/v1/callbacks/{CALL}"),
    ],
)
def test_numbers_and_tokens_do_not_reach_the_log(path: str, shown: str) -> None:
    assert masked(path) == shown


def test_a_long_path_is_cut() -> None:
    assert len(masked("/" + "a" * 10_000)) == 200


def test_a_line_cannot_be_forged() -> None:
    assert "\n" not in masked("/a%0Ab")
