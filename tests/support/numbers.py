"""Names and numbers that no other call of the run has."""

from itertools import count

_numbers = count(1)


def new_sid(prefix: str) -> str:
    """An id as Twilio makes them: two letters and 32 hexadecimal digits."""
    return f"{prefix}{next(_numbers):032x}"


def new_number() -> str:
    """A telephone number from the range that belongs to fiction, in an area (N9X) that never is anywhere.

    So nothing but its country code says where it is and what time it is there.
    """
    number = next(_numbers)
    area = number // 100 % 60
    return f"+1{2 + area // 10}9{area % 10}55501{number % 100:02d}"
