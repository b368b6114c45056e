"""Names and numbers that no other call of the run has."""

from itertools import count

_numbers = count(1)


def new_sid(prefix: str) -> str:
    """An id as Twilio makes them: two letters and 32 hexadecimal digits."""
    return f"{prefix}{next(_numbers):032x}"


def new_number() -> str:
    """A telephone number from the range that belongs to fiction."""
    number = next(_numbers)
    return f"+1{200 + number // 100 % 700}55501{number % 100:02d}"
