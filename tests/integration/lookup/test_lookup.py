"""Lookups against real sockets: what comes back is a value or a failure, in time, and nothing leaks."""

import asyncio
import json
import logging
from typing import Any

import pytest

from callcenter.lookup import Lookups
from support.crm import SECRET, asking

Log = pytest.LogCaptureFixture
GOOD = json.dumps({"customer": {"name": "Ann O'Hara"}}).encode()
PRIVATE = ("2025550123", "Ann", "O'Hara", SECRET)


@pytest.fixture(autouse=True)
def quiet_about_callers(caplog: Log) -> Any:
    """No test may end with a log that tells anything of a caller."""
    caplog.set_level(logging.DEBUG)
    yield
    assert not [word for word in PRIVATE if word in caplog.text]


def reasons(caplog: Log) -> list[str]:
    """Why lookups failed, each from its one line."""
    lines = [record.getMessage() for record in caplog.records if record.name == "callcenter.lookup"]
    assert all(line.startswith("lookup of node crm at 127.0.0.1 failed: ") for line in lines)
    return [line.split(": ", 1)[1] for line in lines]


async def test_what_is_asked_and_found(crm: Any, lookups: Lookups, caplog: Log) -> None:
    crm.says(GOOD, "application/json; charset=utf-8")
    assert await lookups(asking(crm.url)) == {"name": "Ann O'Hara"}
    head = crm.heard[0]
    assert head.startswith("GET /v1/%2B12025550123 HTTP/1.1\r\n")
    assert f"Authorization: Bearer {SECRET}\r\n" in head
    assert reasons(caplog) == []


async def test_a_body_is_json(crm: Any, lookups: Lookups) -> None:
    crm.says(GOOD, "application/vnd.api+json")
    wanted = asking(crm.url, body={"number": "+12025550123", "tags": ["é"]})
    assert await lookups(wanted) == {"name": "Ann O'Hara"}
    head, body = crm.heard[0].split("\r\n\r\n")
    assert head.startswith("POST ")
    assert "Content-Type: application/json" in head
    assert json.loads(body) == {"number": "+12025550123", "tags": ["é"]}


async def test_who_wants_nothing_is_content_with_success(crm: Any, lookups: Lookups) -> None:
    crm.says(b"thanks", "text/plain", "202 Accepted")
    assert await lookups(asking(crm.url, body={}, into={})) == {}


BAD = [
    (b"<html>Ann</html>", "text/html", "200 OK", "the answer is not JSON by its content type"),
    (GOOD, "text/plain", "200 OK", "the answer is not JSON by its content type"),
    (GOOD, "application/json", "500 Internal Server Error", "it answered 500"),
    (GOOD, "application/json", "404 Not Found", "it answered 404"),
    (b"{Ann", "application/json", "200 OK", "the answer is not valid JSON"),
    (b'{"customer": {"name": NaN}}', "application/json", "200 OK", "the answer is not valid JSON"),
    (b"[" * 60_000, "application/json", "200 OK", "the answer is not valid JSON"),
    (b"\xff\xfe\x00", "application/json", "200 OK", "the answer is not valid JSON"),
    (
        b'{"customer": {"first": "Ann"}}',
        "application/json",
        "200 OK",
        "the answer has nothing at $.customer.name",
    ),
    (
        b'{"customer": {"name": {"first": "Ann"}}}',
        "application/json",
        "200 OK",
        "the answer has no single value at $.customer.name",
    ),
    (b'"' + b"x" * 2_000_000 + b'"', "application/json", "200 OK", "the answer is larger than 64 KiB"),
]


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"), BAD, ids=[f"{case[3]} {case[1]}" for case in BAD]
)
async def test_a_bad_answer_is_one_line_without_content(
    crm: Any,
    lookups: Lookups,
    caplog: Log,
    body: bytes,
    kind: str,
    status: str,
    reason: str,
) -> None:
    crm.says(body, kind, status)
    assert await lookups(asking(crm.url)) is None
    assert reasons(caplog) == [reason]


async def test_a_redirect_is_not_followed(crm: Any, lookups: Lookups, caplog: Log) -> None:
    crm.says(b"", "application/json", "302 Found", f"Location: {crm.url}/elsewhere")
    assert await lookups(asking(crm.url)) is None
    assert len(crm.heard) == 1
    assert reasons(caplog) == ["it answered 302"]


async def test_a_stream_without_a_length_is_cut_off(crm: Any, lookups: Lookups, caplog: Log) -> None:
    sent = 0

    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while sent < 50_000_000:
            writer.write(b" " * 65_536)
            sent += 65_536
            await writer.drain()

    crm.answer = pour
    assert await lookups(asking(crm.url)) is None
    assert reasons(caplog) == ["the answer is larger than 64 KiB"]
    assert sent < 50_000_000


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the other side has had enough


async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("answer", [hang, drip])
async def test_one_that_takes_its_time_is_given_up(
    crm: Any, lookups: Lookups, caplog: Log, answer: Any
) -> None:
    crm.answer = answer
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert await lookups(asking(crm.url, timeout_s=0.2)) is None
    assert 0.19 < loop.time() - began_s < 1
    assert reasons(caplog) == ["no answer within 0.2 s"]


async def test_a_connection_that_breaks(crm: Any, lookups: Lookups, caplog: Log) -> None:
    async def cut(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()

    crm.answer = cut
    assert await lookups(asking(crm.url)) is None
    assert reasons(caplog) == ["the exchange broke (ClientPayloadError)"]


async def test_a_closed_port(unused_tcp_port: int, lookups: Lookups, caplog: Log) -> None:
    assert await lookups(asking(f"http://127.0.0.1:{unused_tcp_port}")) is None
    assert reasons(caplog) == ["no connection"]


async def test_a_server_that_speaks_no_tls(lookups: Lookups, caplog: Log) -> None:
    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await lookups(asking(f"https://127.0.0.1:{port}")) is None
    assert reasons(caplog) == ["the TLS connection failed"]


async def test_a_secret_that_is_not_set(crm: Any, caplog: Log) -> None:
    crm.says(GOOD)
    async with Lookups(2, {}) as lookups:
        assert await lookups(asking(crm.url)) is None
    assert crm.heard == []
    assert reasons(caplog) == ["the variable CRM_TOKEN is not set"]


async def test_cookies_of_one_caller_are_not_sent_for_another(crm: Any, lookups: Lookups) -> None:
    crm.says(GOOD, "application/json", "200 OK", "Set-Cookie: session=ann; Path=/")
    await lookups(asking(crm.url))
    await lookups(asking(crm.url))
    assert "cookie" not in crm.heard[1].lower()


async def test_few_are_under_way_at_once_and_others_wait(crm: Any, lookups: Lookups) -> None:
    async def slowly(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + GOOD)
        await writer.drain()

    crm.answer = slowly
    results = await asyncio.gather(*(lookups(asking(crm.url, timeout_s=0.25)) for _ in range(8)))
    assert crm.most_at_once == 2
    assert results.count(None) >= 2
    assert len(results) - results.count(None) >= 3


async def test_a_lookup_that_is_cancelled_frees_its_place(crm: Any, lookups: Lookups) -> None:
    crm.answer = hang
    under_way = [asyncio.create_task(lookups(asking(crm.url, timeout_s=10))) for _ in range(2)]
    await crm.until(2)
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    crm.says(GOOD)
    assert await lookups(asking(crm.url)) == {"name": "Ann O'Hara"}
