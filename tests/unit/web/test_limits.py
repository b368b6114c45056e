from callcenter.web.limits import MAX_ADDRESSES, MAX_FAILURES, MAX_TOKENS, WINDOW_S, FailedSignIns


def failed(limits: FailedSignIns, address: str, times: int, now_s: float = 0.0) -> None:
    for number in range(times):
        limits.failed(address, str(number).encode(), now_s)


def test_an_address_is_refused_after_too_many_failures() -> None:
    limits = FailedSignIns()
    failed(limits, "198.51.100.7", MAX_FAILURES - 1)
    assert limits.may_try("198.51.100.7", b"x", 1.0)
    failed(limits, "198.51.100.7", 1)
    assert not limits.may_try("198.51.100.7", b"x", 1.0)
    assert limits.may_try("198.51.100.8", b"x", 1.0)


def test_the_window_ends() -> None:
    limits = FailedSignIns()
    failed(limits, "a", MAX_FAILURES)
    assert not limits.may_try("a", b"x", WINDOW_S - 0.1)
    assert limits.may_try("a", b"x", WINDOW_S)
    limits.failed("a", b"x", WINDOW_S)
    assert limits.may_try("a", b"x", WINDOW_S)


def test_a_token_that_was_good_passes_from_a_refused_address() -> None:
    limits = FailedSignIns()
    limits.succeeded(b"good")
    failed(limits, "a", MAX_FAILURES)
    assert limits.may_try("a", b"good", 1.0)
    limits.failed("a", b"good", 1.0)
    assert not limits.may_try("a", b"good", 1.0)


def test_memory_is_bounded() -> None:
    limits = FailedSignIns()
    for number in range(MAX_ADDRESSES + 100):
        limits.failed(str(number), b"x", 0.0)
        limits.succeeded(str(number).encode())
    assert len(limits._failures) == MAX_ADDRESSES
    assert len(limits._good) == MAX_TOKENS
