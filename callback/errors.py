"""What can go wrong with callbacks.

::

    CallbackError
    ├── TransitionError     the state does not allow it
    ├── RefusedError        the wish cannot be granted; says why
    ├── FenceLostError      another worker answers for the callback by now
    ├── VersionError        it was changed meanwhile
    └── NotFoundError       there is none such
"""

from collections.abc import Sequence
from datetime import datetime

from callback.refusal import Refusal


class CallbackError(Exception):
    """Root of what this package raises."""


class TransitionError(CallbackError):
    """The callback's state does not allow it."""


class RefusedError(CallbackError):
    """The wish cannot be granted. ``field`` names what of the wish is wrong, where it is one thing.

    ``nearest`` are the beginnings of free slots near to one that is full.
    """

    def __init__(
        self,
        refusal: Refusal,
        message: str,
        field: str | None = None,
        nearest: Sequence[datetime] = (),
    ) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.field = field
        self.nearest = nearest


class FenceLostError(CallbackError):
    """The lease was lost and somebody else has the callback: do nothing more for it."""


class VersionError(CallbackError):
    """The callback was changed by somebody else since it was read."""


class NotFoundError(CallbackError):
    """There is no such callback."""
