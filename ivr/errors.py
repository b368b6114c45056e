"""Everything this package raises on purpose.

::

    IvrError
    └── FlowError     a flow file is wrong; one line that says where and what
"""

from pathlib import Path


class IvrError(Exception):
    """Base of all errors of this package."""


class FlowError(IvrError):
    """A flow file is wrong.

    The message is one line, ``file:line: node NAME: field: what is wrong``; the parts that do not apply
    are left out. ``line`` counts from 1. A node of a sub-flow is named ``SUBFLOW/NODE``.
    """

    def __init__(self, path: Path, line: int, problem: str, node: str = "", field: str = "") -> None:
        self.path = path
        self.line = line
        self.problem = problem
        self.node = node
        self.field = field
        parts = [f"{path}:{line}", f"node {node}" if node else "", field, problem]
        message = ": ".join(part for part in parts if part)
        super().__init__("".join(c if c.isprintable() else "\ufffd" for c in message))
