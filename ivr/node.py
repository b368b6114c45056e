"""What every node of a flow is: a part of the file with ways out of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from ivr.part import Part


@dataclass(frozen=True, slots=True)
class Edge:
    """A way out of a node. ``field`` is where the target stands within the node."""

    label: str
    target: str
    field: tuple[str | int, ...]


class Node(Part):
    """Base of all nodes."""

    def edges(self) -> Iterator[Edge]:
        """The ways out, in the order of the file."""
        yield from ()
