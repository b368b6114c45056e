"""Everything this package raises on purpose.

::

    CallCenterError
    ├── UsageError            the user's input is wrong: one line on stderr, exit status 2, HTTP 4xx
    │   ├── ConfigError       a settings, queue or flow file; says file, line and field
    │   └── NotFoundError     a call, agent, queue or recording that does not exist
    ├── ProtocolError         a gateway sent something its protocol does not allow; the leg ends
    ├── LegRefusedError       a leg that may not come in: unknown token, wrong signature, second socket
    ├── GatewayError          a gateway's control interface failed or did not answer in time
    │   ├── NoSuchNumberError it was asked to dial what is no telephone number
    │   └── DialUnknownError  it was asked to dial and gave no answer: it may have done so
    ├── StorageError          the database cannot be reached, is full, or answers wrongly
    │   └── MigrationError    the schema is newer than the program, or a migration failed
    ├── TransitionError       a state machine was given an event that its state does not allow
    └── OverloadedError       a bounded resource is full; the caller may try again later
"""


class CallCenterError(Exception):
    """Base of all errors of this package."""


class UsageError(CallCenterError):
    """The user's input is wrong; the message is one clear line that says what and where."""


class ConfigError(UsageError):
    """A settings, queue or flow file is wrong; the message names file, line and field."""


class NotFoundError(UsageError):
    """The thing asked for does not exist."""


class ProtocolError(CallCenterError):
    """A gateway sent bytes that its protocol does not allow."""


class LegRefusedError(CallCenterError):
    """A leg may not come in."""


class GatewayError(CallCenterError):
    """A gateway's control interface failed."""


class NoSuchNumberError(GatewayError):
    """A network was asked to dial what is no telephone number."""


class DialUnknownError(GatewayError):
    """A network was asked to dial and gave no answer; whether it dials is for ``Gateway.find`` to say."""


class StorageError(CallCenterError):
    """The database failed."""


class MigrationError(StorageError):
    """The schema cannot be brought to the version that this program needs."""


class TransitionError(CallCenterError):
    """A state machine was given an event that its present state does not allow."""


class OverloadedError(CallCenterError):
    """A bounded resource is full."""
