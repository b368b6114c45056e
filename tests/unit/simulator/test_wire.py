import base64
import json

import pytest
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Connect, VoiceResponse

from callcenter.errors import ProtocolError
from callcenter.simulator.wire import (
    Clear,
    ConnectStream,
    Dial,
    Hangup,
    MarkRequest,
    Media,
    Reject,
    StreamWriter,
    parse_request,
    parse_twiml,
    signature,
)


def test_the_signature_of_an_upgrade_is_the_vendors() -> None:
    assert signature("12345", "wss://cc.example.com/twilio/media") == "lcuQsWfoBps2j1knrQjwzyMZMnY="


def test_the_vendors_validator_accepts_a_signed_form() -> None:
    url = "https://cc.example.com/gateway/twilio/voice"
    form = {"To": "+13125550100", "From": "+12125550101", "CallSid": "CA1", "Digits": ""}
    assert RequestValidator("12345").validate(url, form, signature("12345", url, form))
    assert not RequestValidator("12345").validate(url, form | {"To": "x"}, signature("12345", url, form))


def test_twiml_as_the_vendors_library_writes_it() -> None:
    connect = Connect()
    connect.stream(url="wss://cc.example.com/media").parameter(name="token", value="T&1")
    response = VoiceResponse()
    response.append(connect)
    response.dial("+13125550101")
    response.hangup()
    assert parse_twiml(str(response)) == [
        ConnectStream("wss://cc.example.com/media", {"token": "T&1"}),
        Dial("+13125550101"),
        Hangup(),
    ]


def test_twiml_with_a_nested_number_and_a_refusal() -> None:
    assert parse_twiml("<Response><Dial><Number> +13125550101 </Number></Dial></Response>") == [
        Dial("+13125550101")
    ]
    assert parse_twiml('<Response><Reject reason="busy"/></Response>') == [Reject("busy")]
    assert parse_twiml("<Response/>") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "<Response>",
        "<Answer/>",
        "<Response><Unheard/></Response>",
        "<Response><Connect/></Response>",
        '<Response><Connect><Stream url="https://cc.example.com"/></Connect></Response>',
        '<Response><Connect><Stream url="wss://cc.example.com/?leg=1"/></Connect></Response>',
    ],
)
def test_twiml_that_the_network_would_not_follow_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_twiml(text)


def test_messages_carry_what_the_network_sends() -> None:
    writer = StreamWriter("AC1", "CA1", "MZ1")
    assert json.loads(writer.connected()) == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    start = json.loads(writer.start({"token": "T1"}))
    assert start["sequenceNumber"] == "1"
    assert start["start"]["customParameters"] == {"token": "T1"}
    assert start["start"]["mediaFormat"] == {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    assert json.loads(writer.media("AAAA", 0)) == {
        "event": "media",
        "sequenceNumber": "2",
        "streamSid": "MZ1",
        "media": {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": "AAAA"},
    }
    assert json.loads(writer.dtmf("#"))["dtmf"] == {"track": "inbound_track", "digit": "#"}
    assert json.loads(writer.media("AAAA", 20))["media"]["chunk"] == "2"
    assert [json.loads(text)["mark"] for text in writer.marks(["a", "b"])] == [{"name": "a"}, {"name": "b"}]
    assert json.loads(writer.stop()) == {
        "event": "stop",
        "sequenceNumber": "7",
        "streamSid": "MZ1",
        "stop": {"accountSid": "AC1", "callSid": "CA1"},
    }


def test_requests_of_the_service() -> None:
    payload = base64.b64encode(b"\x00\xff").decode()
    assert parse_request(
        json.dumps({"event": "media", "streamSid": "MZ1", "media": {"payload": payload}}), "MZ1"
    ) == Media(b"\x00\xff")
    assert parse_request('{"event":"mark","streamSid":"MZ1","mark":{"name":"u"}}', "MZ1") == MarkRequest("u")
    assert parse_request('{"event":"clear","streamSid":"MZ1"}', "MZ1") == Clear()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "null",
        '"clear"',
        "{}",
        '{"event":"clear"}',
        '{"event":"clear","streamSid":"other"}',
        '{"event":"sing","streamSid":"MZ1"}',
        '{"event":"media","streamSid":"MZ1"}',
        '{"event":"media","streamSid":"MZ1","media":[]}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":7}}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":"not base64"}}',
        '{"event":"media","streamSid":"MZ1","media":{"payload":"\u00e9"}}',
        '{"event":"mark","streamSid":"MZ1","mark":null}',
    ],
)
def test_requests_that_break_the_protocol(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_request(text, "MZ1")
