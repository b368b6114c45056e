"""What may go wrong on purpose, so that the service can show how it copes."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with a caller's media stream."""

    NONE = "none"
    DROP_MID_WORD = "drop_mid_word"  # the socket dies in the middle of the first sentence
    GARBAGE = "garbage"  # malformed and binary messages among the good ones
    NO_MEDIA = "no_media"  # the stream starts, but no audio ever comes


@dataclass(slots=True)
class RestFaults:
    """How the REST interface misbehaves from now on.

    The next ``errors`` requests are answered 500, the next ``hangs`` not before ``hang_s`` have passed;
    both are counted down.
    """

    errors: int = 0
    hangs: int = 0
    hang_s: float = 30.0
