"""Signs messages to webhooks. Pure. Source: Standard Webhooks 1.0.0, https://www.standardwebhooks.com."""

import hmac
from base64 import b64encode
from datetime import datetime
from hashlib import sha256


def signed(key: bytes, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers by which a receiver knows that ``body`` is ours, and told at ``at``.

    The id is the same in every try; receivers drop what they have had, and what was told too long ago.
    """
    timestamp = str(int(at.timestamp()))
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    signature = b64encode(hmac.digest(key, content, sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
