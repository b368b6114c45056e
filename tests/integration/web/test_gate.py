"""Signing in, headers, limits, errors."""

import asyncio
import logging
from io import BytesIO
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from callcenter.web.auth import COOKIE
from callcenter.web.limits import MAX_FAILURES

CALLS = "/api/v1/calls"


def cookie(site: Any, role: str = "supervisor") -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={site.tokens[role]}"}


async def status_of(site: Any, method: str, path: str, **options: Any) -> int:
    url = URL(site.url + path, encoded=True)
    async with site.client.request(method, url, allow_redirects=False, **options) as response:
        return int(response.status)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer cc_wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer " + "cc_" + "x" * 1000},
        {"Cookie": f"{COOKIE}=cc_wrong"},
    ],
)
@pytest.mark.parametrize("path", [CALLS, "/%61pi/v1/calls", "/api/v1/openapi.json", "/api/v1/nothing"])
async def test_the_api_is_closed_to_strangers(site: Any, headers: dict[str, str], path: str) -> None:
    url = URL(site.url + path, encoded=True)
    async with site.client.get(url, headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert (await response.json())["error"]["code"] == "unauthorized"


async def test_a_cookie_reads_but_writes_only_from_our_own_page(site: Any) -> None:
    path = f"{CALLS}/{await site.floor.start()}/hold"
    own = {"Origin": site.url}
    assert await status_of(site, "GET", CALLS, headers=cookie(site)) == 200
    assert await status_of(site, "POST", path, headers=cookie(site)) == 403
    assert (
        await status_of(site, "POST", path, headers=cookie(site) | {"Origin": "https://evil.example"}) == 403
    )
    assert await status_of(site, "POST", path, headers=cookie(site) | {"Origin": "null"}) == 403
    assert await status_of(site, "POST", path, headers=cookie(site) | {"Sec-Fetch-Site": "cross-site"}) == 403
    assert not site.control.asked
    assert await status_of(site, "POST", path, headers=cookie(site) | own) == 204
    assert (
        await status_of(site, "POST", path, headers=cookie(site) | {"Sec-Fetch-Site": "same-origin"}) == 204
    )


async def test_a_token_works_until_it_is_taken_back(site: Any) -> None:
    assert (await site.get(CALLS))[0] == 200
    await site.services.users.revoke_all("supervisor")
    assert (await site.get(CALLS))[0] == 401


async def test_guessing_is_slowed_down_but_not_the_neighbours(site: Any) -> None:
    assert (await site.get(CALLS))[0] == 200
    wrong = {"Authorization": "Bearer cc_guess"}
    statuses = [await status_of(site, "GET", CALLS, headers=wrong) for _ in range(MAX_FAILURES + 1)]
    assert statuses == [401] * MAX_FAILURES + [429]
    assert (await site.get(CALLS))[0] == 200
    assert (await site.get(CALLS, "admin"))[0] == 429


@pytest.mark.parametrize("path", ["/", "/healthz", CALLS, "/static/app.css", "/nothing"])
async def test_every_answer_has_the_safe_headers(site: Any, path: str) -> None:
    async with site.client.get(site.url + path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert "aiohttp" not in response.headers["Server"]


async def test_a_request_keeps_the_name_it_came_with(site: Any) -> None:
    for given, kept in (("abc-1", True), ("a b", False), ("x" * 65, False)):
        async with site.client.get(site.url + "/healthz", headers={"X-Request-Id": given}) as response:
            assert (response.headers["X-Request-Id"] == given) is kept


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("DELETE", CALLS, 405, "method_not_allowed"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/static/../server.py", 404, "not_found"),
        ("GET", "/static/%2e%2e/server.py", 404, "not_found"),
    ],
)
async def test_what_is_not_there_is_said_in_json(
    site: Any, method: str, path: str, status: int, code: str
) -> None:
    url = URL(site.url + path, encoded=True)
    async with site.client.request(method, url, headers=site.auth()) as response:
        assert response.status == status
        assert (await response.json())["error"]["code"] == code


async def test_a_body_has_a_limit(site: Any) -> None:
    path = f"{CALLS}/{await site.floor.start()}/transfer"
    headers = site.auth() | {"Content-Type": "application/json"}
    body = BytesIO(b'{"to": "' + b"1" * (1024 * 1024) + b'"}')
    assert await status_of(site, "POST", path, headers=headers, data=body) == 413
    assert await status_of(site, "POST", path, headers=headers, data=b"{") == 400
    assert await status_of(site, "POST", path, headers=site.auth(), data=b'{"to": "1"}') == 415
    assert not site.control.asked


async def test_signing_in_by_the_form(site: Any) -> None:
    own = {"Origin": site.url}
    async with site.client.get(site.url + "/") as page:
        assert "Access token" in await page.text()
    form = {"token": f" {site.tokens['supervisor']} "}
    async with site.client.post(
        site.url + "/sign-in", data=form, headers=own, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        set_cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert part in set_cookie
    assert "Secure" not in set_cookie  # this test runs without TLS
    async with site.client.get(site.url + "/", headers=cookie(site)) as page:
        text = await page.text()
        assert "Calls in progress" in text
        assert site.tokens["supervisor"] not in text


async def test_the_form_refuses_strangers_and_other_sites(site: Any) -> None:
    form = {"token": site.tokens["supervisor"]}
    own = {"Origin": site.url}
    assert await status_of(site, "POST", "/sign-in", data=form) == 403
    assert (
        await status_of(site, "POST", "/sign-in", data=form, headers={"Origin": "https://evil.example"})
        == 403
    )
    assert await status_of(site, "POST", "/sign-in", data={"token": "cc_x"}, headers=own) == 401
    assert await status_of(site, "POST", "/sign-in", data={}, headers=own) == 400
    assert await status_of(site, "POST", "/sign-out", headers={"Origin": "https://evil.example"}) == 403


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b"token=\xff"),
        ("application/x-www-form-urlencoded; charset=klingon", b"token=\xff"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=b", b"x"),
    ],
)
async def test_a_form_that_cannot_be_read_is_bad_input(
    site: Any, content_type: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Origin": site.url, "Content-Type": content_type}
    assert await status_of(site, "POST", "/sign-in", data=body, headers=headers) == 400
    assert "Traceback" not in caplog.text


async def test_signing_out_forgets_the_token(site: Any) -> None:
    async with site.client.post(
        site.url + "/sign-out", headers={"Origin": site.url}, allow_redirects=False
    ) as answer:
        assert answer.status == 303
        assert "Max-Age=0" in answer.headers["Set-Cookie"]


async def test_a_cookie_that_expired_leads_to_the_form(site: Any) -> None:
    async with site.client.get(site.url + "/", headers={"Cookie": f"{COOKIE}=cc_old"}) as page:
        assert page.status == 401
        assert "Access token" in await page.text()
        assert "Max-Age=0" in page.headers["Set-Cookie"]


async def test_nobody_is_signed_in_unasked(site: Any) -> None:
    async with site.client.get(site.url + "/") as page:
        assert "Set-Cookie" not in page.headers


class TestDemo:
    @pytest.fixture
    def demo_token(self) -> list[str]:
        return ["supervisor"]

    async def test_a_browser_on_this_machine_is_signed_in(self, site: Any) -> None:
        async with site.client.get(site.url + "/") as page:
            text = await page.text()
            assert "Demo" in text
            assert "HttpOnly" in page.headers["Set-Cookie"]

    @pytest.mark.parametrize(
        "headers",
        [
            {"Host": "evil.example"},
            {"X-Forwarded-For": "198.51.100.7"},
            {"Host": "198.51.100.7:8080"},
        ],
    )
    async def test_nobody_else_is(self, site: Any, headers: dict[str, str]) -> None:
        async with site.client.get(site.url + "/", headers=headers) as page:
            assert "Access token" in await page.text()
            assert "Set-Cookie" not in page.headers


async def test_health(site: Any) -> None:
    assert await status_of(site, "GET", "/healthz") == 200
    async with site.client.get(site.url + "/readyz") as answer:
        assert (answer.status, await answer.json()) == (
            200,
            {
                "ready": True,
                "checks": [{"name": "database", "ok": True}, {"name": "model", "ok": True}],
            },
        )
    site.ready["accepting"] = False
    async with site.client.get(site.url + "/readyz") as answer:
        assert (answer.status, (await answer.json())["ready"]) == (503, False)


async def test_without_a_database_we_are_alive_but_not_ready(site: Any) -> None:
    site.services.database.pool.terminate()
    assert await status_of(site, "GET", "/healthz") == 200
    assert await status_of(site, "GET", "/metrics") == 200
    async with site.client.get(site.url + "/readyz") as answer:
        checks = (await answer.json())["checks"]
        assert (answer.status, checks[0]) == (503, {"name": "database", "ok": False})
    async with site.client.get(site.url + CALLS, headers=site.auth()) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert (await answer.json())["error"] == {
            "code": "unavailable",
            "message": "the database does not answer",
        }


async def test_metrics(site: Any) -> None:
    await site.floor.queued(await site.floor.start())
    await site.get(CALLS)
    await site.get(f"{CALLS}/1")
    async with site.client.get(site.url + "/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    for line in (
        'callcenter_node{node="here"} 1.0',
        "callcenter_calls 3.0",
        "callcenter_frames_in_total 250.0",
        "callcenter_audio_dropped_seconds_total 0.04",
        'callcenter_waiting{queue="sales"} 1.0',
        'callcenter_waiting{queue="support"} 0.0',
        'callcenter_agents{state="offline"} 2.0',
        "callcenter_watchers 0.0",
        'callcenter_http_request_seconds_count{method="GET",route="/api/v1/calls",status="2xx"} 1.0',
        'callcenter_http_request_seconds_count{method="GET",route="/api/v1/calls/{id}",status="4xx"} 1.0',
    ):
        assert line in text
    assert "python_gc" not in text


async def test_the_access_log_tells_no_secrets(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aiohttp.access")
    await site.get(CALLS, number="+15125550142")
    await site.get("/numbers/+15125550142")
    await asyncio.sleep(0)
    text = caplog.text
    assert "GET /api/v1/calls 200" in text
    assert "5550142" not in text
    assert site.tokens["supervisor"] not in text


async def test_an_unforeseen_error_is_logged_and_not_told(
    site: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> web.Response:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(site.services.calls), "list", broken)
    async with site.client.get(site.url + CALLS, headers=site.auth() | {"X-Request-Id": "r-1"}) as answer:
        assert answer.status == 500
        assert "secret" not in await answer.text()
    assert "r-1" in caplog.text
