"""The signature that Twilio puts on webhooks and on the WebSocket upgrade (``X-Twilio-Signature``).

Base64 of HMAC-SHA1, keyed with the account's token, over the exact URL that was requested, followed for a
form by every name and value, sorted and without separators. Whether the default port is part of the signed
URL differs between senders, so both are tried.
Source: https://www.twilio.com/docs/usage/security#validating-requests
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping

Form = Mapping[str, str] | Iterable[tuple[str, str]]
"""The fields of a form; pairs where a name may come more than once."""

_URL = re.compile(r"(?P<scheme>[a-z]+)://(?P<host>[^/?#]*?)(?P<port>:[0-9]+)?(?P<rest>[/?#].*)?", re.DOTALL)
_DEFAULT_PORTS = {"http": ":80", "ws": ":80", "https": ":443", "wss": ":443"}


def sign(url: str, form: Form | None, token: str) -> str:
    """Sign a request: ``url`` as the sender sees it, ``form`` or ``None``, ``token`` the shared secret.

    A value given twice under one name counts once, as in Twilio's own libraries.
    """
    pairs = form.items() if isinstance(form, Mapping) else form or ()
    text = url + "".join(name + value for name, value in sorted(set(pairs)))
    mac = hmac.new(token.encode(), text.encode("utf-8", "surrogatepass"), "sha1")
    return b64encode(mac.digest()).decode("ascii")


def valid(signature: str, url: str, form: Form | None, token: str) -> bool:
    """Say whether ``signature`` belongs to the request; takes the same time whatever the answer.

    An empty ``token`` never validates: a secret that was not set must not let everybody in.
    """
    pairs = list(form.items() if isinstance(form, Mapping) else form or ())
    given = signature.encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(sign(each, pairs, token).encode(), given) for each in _with_ports(url)]
    return bool(token) and any(matches)


def _with_ports(url: str) -> list[str]:
    match = _URL.fullmatch(url)
    if match is None:
        return [url]
    start, rest = f"{match['scheme']}://{match['host']}", match["rest"] or ""
    port = match["port"] or _DEFAULT_PORTS.get(match["scheme"], "")
    return [start + rest, start + port + rest]
