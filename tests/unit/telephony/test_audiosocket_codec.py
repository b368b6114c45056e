"""AudioSocket frames: a captured connection cut anywhere, and what the protocol does not allow."""

from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.errors import ProtocolError
from callcenter.media.frame import FRAME_BYTES, SILENCE
from callcenter.telephony.audiosocket_codec import AudioSocketCodec
from callcenter.telephony.port import Audio, CodecEvent, Dtmf, LegEnded, LegStarted

LINES = (Path(__file__).parent / "captures" / "audiosocket.hex").read_text().splitlines()
CAPTURE = b"".join(bytes.fromhex(line) for line in LINES if not line.startswith("#"))
UUID = "5f0c7d0e-8a51-4a9e-9c39-2f4f0c1f7a10"


def frame(kind: int, payload: bytes = b"") -> bytes:
    return bytes((kind,)) + len(payload).to_bytes(2, "big") + payload


START = frame(0x01, bytes(16))
SOUND = frame(0x10, SILENCE)


def test_a_connection() -> None:
    events = AudioSocketCodec().receive(CAPTURE)
    assert events[0] == LegStarted(UUID, UUID)
    assert events[3] == Dtmf("5")
    sounds = [event for event in events if isinstance(event, Audio)]
    assert [len(sound.pcm16) for sound in sounds] == [320, 320, 276, 320]
    assert {sound.at_ms for sound in sounds} == {None}
    assert events[-1] == LegEnded("hangup")
    assert len(events) == 7


@given(st.lists(st.integers(0, len(CAPTURE)), max_size=30))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int]) -> None:
    codec = AudioSocketCodec()
    edges = [0, *sorted(cuts), len(CAPTURE)]
    events: list[CodecEvent] = []
    for start, end in pairwise(edges):
        events += codec.receive(CAPTURE[start:end])
    assert events == AudioSocketCodec().receive(CAPTURE)


def test_byte_by_byte() -> None:
    codec = AudioSocketCodec()
    events = [event for byte in CAPTURE for event in codec.receive(bytes([byte]))]
    assert events == AudioSocketCodec().receive(CAPTURE)


def test_the_end_is_the_end() -> None:
    codec = AudioSocketCodec()
    assert codec.receive(START + frame(0xFF, b"\x02") + b"\x99" * 50)[1:] == [LegEnded("error")]
    assert codec.receive(SOUND + b"\xee") == []


def test_lower_case_keys_and_empty_audio() -> None:
    codec = AudioSocketCodec()
    assert codec.receive(START + frame(0x03, b"b") + frame(0x10))[1:] == [Dtmf("B")]


def test_a_short_frame_is_no_other_format_once_audio_has_come() -> None:
    codec = AudioSocketCodec()
    events = codec.receive(START + SOUND + frame(0x10, bytes(160)))
    assert [len(event.pcm16) for event in events if isinstance(event, Audio)] == [320, 160]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (SOUND[:3], "the first frame is of kind 0x10"),
        (b"GET / HTTP/1.1", "the first frame is of kind 0x47"),
        (frame(0x00), "the first frame is of kind 0x00"),
        (frame(0x01, bytes(15)), "a UUID of 15 bytes"),
        (START + START, "a second UUID frame"),
        (START + frame(0x03, b"12"), "a DTMF frame of 2 bytes"),
        (START + frame(0x03, b"x"), "not a key"),
        (START + frame(0x10, b"123"), "an audio frame of 3 bytes"),
        (START + frame(0x10, bytes(160)), "ask for slin"),
        (START + frame(0x11, bytes(480)), "format is slin12; configure it as slin"),
        (START + frame(0x12, bytes(640)), "format is slin16"),
        (START + frame(0x18, bytes(640)), "format is slin192"),
        (START + frame(0x19, bytes(640)), "unknown kind 0x19"),
        (START + frame(0x02, b""), "unknown kind 0x02"),
    ],
)
def test_bad_input(data: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        AudioSocketCodec().receive(data)
    assert complaint in str(caught.value)


def test_a_wrong_header_is_refused_before_its_payload_is_awaited() -> None:
    codec = AudioSocketCodec()
    codec.receive(START)
    with pytest.raises(ProtocolError, match="slin16"):
        codec.receive(b"\x12\xff\xff")


def test_what_we_send() -> None:
    codec = AudioSocketCodec()
    assert codec.audio(SILENCE) == SOUND
    assert codec.audio(SILENCE + bytes(range(256)) + bytes(64)) == SOUND + frame(
        0x10, bytes(range(256)) + bytes(64)
    )
    assert codec.hangup() == b"\0\0\0"


@pytest.mark.parametrize("size", [0, 1, 160, FRAME_BYTES - 2, FRAME_BYTES + 2])
def test_what_asterisk_would_not_survive_is_not_sent(size: int) -> None:
    with pytest.raises(ValueError, match="whole number of frames"):
        AudioSocketCodec().audio(bytes(size))


@given(st.lists(st.binary(max_size=300), max_size=6), st.booleans())
def test_any_bytes_are_read_or_refused(chunks: list[bytes], begun: bool) -> None:
    codec = AudioSocketCodec()
    if begun:
        codec.receive(START)
    with suppress(ProtocolError):
        for chunk in chunks:
            codec.receive(chunk)


@given(st.integers(0, len(CAPTURE) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_any_damage_is_read_or_refused(at: int, instead: bytes, lost: int) -> None:
    with suppress(ProtocolError):
        AudioSocketCodec().receive(CAPTURE[:at] + instead + CAPTURE[at + lost :])


def test_no_more_than_one_frame_is_held() -> None:
    codec = AudioSocketCodec()
    codec.receive(START + SOUND)
    long = frame(0x10, bytes(65534))
    for chunk in (long[:40_000], long[40_000:] + long[:10], long[10:] + SOUND[:100]):
        codec.receive(chunk)
    assert len(codec._buffer) == 100
