"""Signatures as Standard Webhooks makes them, and the secrets that settings may name."""

import base64
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from callcenter.callback_settings import Callbacks, Webhook
from callcenter.web.webhook_signature import signed

URL = "https://crm.example.com/hook"


def test_it_is_what_other_libraries_compute() -> None:
    # The vector that the libraries of the specification are tested with.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330.9, UTC)
    assert signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}') == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_secrets_are_base64_where_they_say_so() -> None:
    key = b"twenty-four random bytes"
    assert Webhook(name="crm", url=URL, secret=f"whsec_{base64.b64encode(key).decode()}").key == key
    assert Webhook(name="crm", url=URL, secret="sixteen or more letters").key == b"sixteen or more letters"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "ftp://crm.example.com"}, "must begin with http"),
        ({"url": "https:///hook"}, "name a host"),
        ({"url": "https://crm.example.com/\nX"}, "must begin with http"),
        ({"secret": "short"}, "at least 16"),
        ({"secret": "whsec_dHdlbnR5"}, "at least 16"),
        ({"secret": "whsec_no base64 at all!"}, "base64"),
        ({"steps": ["completed", "compleated"]}, "there is no compleated"),
        ({"at_once": 0}, "at_once"),
        ({"timeout_s": 0.1}, "timeout_s"),
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as error:
        Webhook.model_validate({"name": "crm", "url": URL, "secret": "sixteen or more letters"} | changed)
    assert "sixteen or more" not in str(error.value)


def test_names_differ() -> None:
    hook = {"name": "crm", "url": URL, "secret": "sixteen or more letters"}
    with pytest.raises(ValidationError, match="crm is given twice"):
        Callbacks.model_validate({"webhooks": [hook, hook]})
