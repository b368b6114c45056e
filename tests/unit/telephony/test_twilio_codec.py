"""The protocol of Media Streams: captured conversations, an independent implementation, bad input."""

import base64
import json
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamdouble import protocol as peer

from callcenter.errors import ProtocolError
from callcenter.media.frame import FRAME_BYTES
from callcenter.media.g711 import pcm16_to_ulaw
from callcenter.telephony.port import Audio, CodecEvent, Dtmf, LegEnded, LegStarted, Mark
from callcenter.telephony.twilio_codec import (
    MAX_MESSAGE_CHARS,
    MAX_RECENT_PAYLOADS,
    RecentPayloads,
    TwilioCodec,
)

CAPTURES = Path(__file__).parent / "captures"
TWILIO = (CAPTURES / "twilio.jsonl").read_text().splitlines()
SIGNALWIRE = (CAPTURES / "signalwire.jsonl").read_text().splitlines()
TOKEN = "5f0c7d0e-8a51-4a9e-9c39-2f4f0c1f7a10"
TONE = bytes(range(256)) * 2


def all_events(messages: list[str]) -> list[CodecEvent]:
    codec = TwilioCodec()
    return [event for message in messages for event in codec.receive(message)]


def start_message(**changes: Any) -> str:
    start = {
        "callSid": "CA1",
        "customParameters": {"token": TOKEN},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    }
    return json.dumps({"event": "start", "streamSid": "MZ1", "start": start | changes})


def media_message(**changes: Any) -> str:
    media = {"track": "inbound", "timestamp": "40", "payload": base64.b64encode(b"\xff" * 160).decode()}
    return json.dumps({"event": "media", "streamSid": "MZ1", "media": media | changes})


@pytest.fixture
def started() -> TwilioCodec:
    codec = TwilioCodec()
    codec.receive(start_message())
    return codec


def test_a_twilio_conversation() -> None:
    events = all_events(TWILIO)
    assert events[0] == LegStarted("MZ" + "a1" * 16, "CA" + "c3" * 16, {"token": TOKEN})
    sounds = [event for event in events if isinstance(event, Audio)]
    assert [sound.at_ms for sound in sounds] == [0, 20, 40, 60]
    assert {len(sound.pcm16) for sound in sounds} == {FRAME_BYTES}
    assert events[4:6] == [Dtmf("5"), Mark("p1")]
    assert events[-1] == LegEnded("stop")


def test_white_space_around_a_message_is_no_part_of_it(started: TwilioCodec) -> None:
    assert started.receive(f"\r\n {media_message()} \n") == started.receive(media_message())


def test_a_signalwire_conversation() -> None:
    events = all_events(SIGNALWIRE)
    assert events[0] == LegStarted(
        "0d1c3b5e-52d5-4c5b-9c2e-2f7b43f0a9d1", "77a9f2f4-9d0e-4f0d-8d58-6c3d0c2f5e55", {"token": TOKEN}
    )
    assert events[-3:] == [Dtmf("D"), Mark("p1"), LegEnded("stop")]


def test_snake_case_names_come_back_under_the_same_name() -> None:
    codec = TwilioCodec()
    start = {"call_sid": "c", "media_format": {"encoding": "PCMU", "sample_rate": "8000"}}
    events = codec.receive(json.dumps({"event": "start", "stream_sid": "s1", "start": start}))
    assert events == (LegStarted("s1", "c", {}),)
    assert json.loads(codec.clear()) == {"event": "clear", "stream_sid": "s1"}


def test_an_independent_peer_understands_what_is_sent(started: TwilioCodec) -> None:
    audio = peer.parse_outbound(started.audio(TONE))
    assert isinstance(audio, peer.InboundMedia)
    assert audio.payload == pcm16_to_ulaw(TONE)
    mark = peer.parse_outbound(started.mark('naïve "mark"\n'))
    assert isinstance(mark, peer.InboundMark)
    assert mark.name == 'naïve "mark"\n'
    assert isinstance(peer.parse_outbound(started.clear()), peer.InboundClear)
    assert all(json.loads(text)["streamSid"] == "MZ1" for text in (started.audio(TONE), started.mark("m")))


def test_a_stream_name_cannot_break_out_of_the_message() -> None:
    codec = TwilioCodec()
    name = '","event":"clear'
    codec.receive(start_message().replace('"MZ1"', json.dumps(name)))
    assert json.loads(codec.audio(TONE))["streamSid"] == name


def test_sending_needs_a_stream_and_audio(started: TwilioCodec) -> None:
    with pytest.raises(RuntimeError, match="before the stream has started"):
        TwilioCodec().clear()
    with pytest.raises(ValueError, match="no audio"):
        started.audio(b"")


def test_the_other_track_and_empty_audio_are_left_out(started: TwilioCodec) -> None:
    assert started.receive(media_message(track="outbound")) == ()
    assert started.receive(media_message(payload="")) == ()


def test_time_stamps_may_be_numbers_or_missing(started: TwilioCodec) -> None:
    stamps = [started.receive(media_message(timestamp=stamp))[0] for stamp in ("7", 7, None)]
    assert [stamp.at_ms for stamp in stamps if isinstance(stamp, Audio)] == [7, 7, None]


def test_unknown_events_are_ignored_once_started_and_everything_after_stop(started: TwilioCodec) -> None:
    assert started.receive('{"event":"novelty"}') == ()
    assert started.receive('{"event":"stop"}') == (LegEnded("stop"),)
    assert started.receive(media_message()) == started.receive(start_message()) == ()


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{} {}", "not JSON"),
        ("[" * 60_000, "not JSON"),
        ('{"event":"start","n":' + "9" * 5000 + "}", "not JSON"),
        ("[1]", "a list, not an object"),
        ("null", "missing, not an object"),
        ("{}", "event is missing"),
        ('{"event":7}', "not a string"),
        ('{"event":"media"}', "'media' before start"),
        ('{"event":"dtmf"}', "'dtmf' before start"),
        ('{"event":"mark"}', "'mark' before start"),
        ('{"event":"stop"}', "'stop' before start"),
        ('{"event":"start"}', "start is missing"),
        ('{"event":"start","start":[]}', "start is a list"),
        (start_message(mediaFormat=None), "mediaFormat is missing"),
        (start_message(mediaFormat={"encoding": "audio/x-L16", "sampleRate": 8000}), "'audio/x-L16'; only"),
        (start_message(mediaFormat={"encoding": "pcmu", "sampleRate": 16000}), "rate is 16000"),
        (start_message(mediaFormat={"encoding": "pcmu", "sampleRate": 8000.0}), "not a whole number"),
        (start_message(mediaFormat={"encoding": "pcmu", "sampleRate": 8000, "channels": 2}), "2 channels"),
        (
            start_message(mediaFormat={"encoding": "pcmu", "sampleRate": 8000, "channels": True}),
            "not a whole number",
        ),
        (start_message(callSid=None), "callSid is missing"),
        (start_message(callSid=""), "callSid must be"),
        (start_message(callSid="a\nb"), "callSid must be"),
        (start_message(callSid="x" * 300), "callSid must be"),
        (start_message().replace('"streamSid": "MZ1", ', ""), "streamSid is missing"),
        (start_message().replace('"MZ1"', "5"), "streamSid is a number"),
        (start_message(customParameters=[]), "customParameters is a list"),
        (start_message(customParameters={"a": 1}), "a value of start.customParameters"),
        (start_message(customParameters={str(i): "" for i in range(51)}), "holds 51 pairs"),
        (start_message(customParameters={"a": "x" * 1025}), "too long"),
        (start_message(customParameters={"x" * 129: ""}), "too long"),
        (start_message(customParameters={"a": "\0"}), "not text"),
        (start_message(customParameters={"a": "\ud800"}), "not text"),
        ('"' + "x" * MAX_MESSAGE_CHARS, "characters; the limit is 65536"),
    ],
)
def test_bad_input_before_the_start(message: str, complaint: str) -> None:
    codec = TwilioCodec()
    with pytest.raises(ProtocolError) as caught:
        codec.receive(message)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (start_message(), "a second start"),
        (media_message().replace("MZ1", "MZ2"), "another stream"),
        ('{"event":"media"}', "media is missing"),
        ('{"event":"media","media":"x"}', "media is 'x'"),
        (media_message(track=1), "media.track is a number"),
        (media_message(payload=None), "media.payload is missing"),
        (media_message(payload="//8"), "not base64"),
        (media_message(payload="//8=\n"), "not base64"),
        (media_message(payload="//8*"), "not base64"),
        (media_message(payload="/é8="), "not base64"),
        (media_message(payload="=" * 4), "not base64"),
        (media_message(payload="A" * 21_340), "larger than 16000 bytes"),
        (media_message(timestamp="-1"), "timestamp is '-1'"),
        (media_message(timestamp="1_0"), "not a whole number"),
        (media_message(timestamp="²"), "not a whole number"),
        (media_message(timestamp=-1), "not a whole number"),
        (media_message(timestamp=10**15), "not a whole number"),
        (media_message(timestamp=[]), "timestamp is a list"),
        ('{"event":"dtmf"}', "dtmf is missing"),
        ('{"event":"dtmf","dtmf":{"digit":"55"}}', "not a key"),
        ('{"event":"dtmf","dtmf":{"digit":5}}', "dtmf.digit is a number"),
        ('{"event":"mark","mark":{"name":""}}', "mark.name must be"),
        ('{"event":"mark","mark":{}}', "mark.name is missing"),
    ],
)
def test_bad_input_after_the_start(started: TwilioCodec, message: str, complaint: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        started.receive(message)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def feed(codec: TwilioCodec, text: str) -> None:
    with suppress(ProtocolError):
        codec.receive(text)


@given(st.lists(st.text(max_size=200), max_size=5), st.booleans())
def test_any_text_is_read_or_refused(texts: list[str], begun: bool) -> None:
    codec = TwilioCodec()
    if begun:
        codec.receive(start_message())
    for text in texts:
        feed(codec, text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def replaced(message: Any, path: list[int], value: Any) -> Any:
    """Put ``value`` somewhere into the message; ``path`` chooses where."""
    if not path or not isinstance(message, dict) or not message:
        return value
    key = list(message)[path[0] % len(message)]
    return message | {key: replaced(message[key], path[1:], value)}


@given(
    st.sampled_from(TWILIO + SIGNALWIRE),
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    json_values,
    st.booleans(),
)
def test_any_change_to_a_valid_message_is_read_or_refused(
    message: str, path: list[int], value: Any, begun: bool
) -> None:
    codec = TwilioCodec()
    if begun:
        codec.receive(start_message())
    feed(codec, json.dumps(replaced(json.loads(message), path, value)))


@given(st.integers(0, 7), st.data())
def test_any_cut_or_flipped_character_is_read_or_refused(number: int, data: st.DataObject) -> None:
    codec = TwilioCodec()
    for index, text in enumerate(TWILIO[:-1]):
        if index == number:
            at = data.draw(st.integers(0, len(text) - 1))
            text = text[:at] + data.draw(st.characters() | st.just("")) + text[at + 1 :]
        feed(codec, text)


def test_memory_does_not_grow_with_the_stream(started: TwilioCodec) -> None:
    message = media_message()
    started.receive(message)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2000):
            started.receive(message)
            started.receive(f'{{"event":"novelty{number}"}}')
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_bridged_sound_is_sent_on_as_it_came() -> None:
    recent = RecentPayloads()
    caller, agent = TwilioCodec(recent), TwilioCodec(recent)
    caller.receive(start_message())
    agent.receive(start_message())
    # 0x7F is negative zero, which coding anew would turn into 0xFF.
    payload = base64.b64encode(bytes([0x7F, 0x10] * 80)).decode()
    (audio,) = caller.receive(media_message(payload=payload))
    assert isinstance(audio, Audio)
    assert json.loads(agent.audio(audio.pcm16))["media"]["payload"] == payload
    assert json.loads(agent.audio(audio.pcm16))["media"]["payload"] != payload


def test_what_nobody_sends_on_is_forgotten() -> None:
    recent = RecentPayloads()
    recent.keep(b"first", "kept")
    for number in range(MAX_RECENT_PAYLOADS):
        recent.keep(number.to_bytes(2, "little"), "kept")
    assert recent.coded(b"\0\0") != "kept"
    assert recent.coded((MAX_RECENT_PAYLOADS - 1).to_bytes(2, "little")) == "kept"
