"""Whom a request comes from, behind proxies that are trusted. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
MAX_HOPS = 20


def networks(texts: Sequence[str]) -> list[Network]:
    """Addresses and networks such as ``10.0.0.0/8``; raises ``ValueError``."""
    return [ip_network(text, strict=False) for text in texts]


def client(remote: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address that asks: the last one in ``X-Forwarded-For`` that no trusted proxy has.

    What stands before that anybody could have written, and is not looked at. Of IPv6 it is the network of 64
    bits, which is what one customer has.
    """
    present = _address(remote)
    hops = [hop for line in forwarded_for for hop in line.split(",")]
    for hop in reversed(hops[-MAX_HOPS:]):
        if present is None or not any(present in network for network in trusted):
            break
        before = _address(hop)
        if before is None:
            break
        present = before
    if isinstance(present, IPv6Address):
        return str(ip_network((present, 64), strict=False))
    return str(present) if present is not None else "unknown"


def around(client: str) -> str | None:
    """The network of 48 bits around a ``client`` of IPv6; one household may have 65,536 addresses in it."""
    try:
        network = IPv6Network(client)
    except ValueError:
        return None
    return str(network.supernet(new_prefix=48))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip().strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
