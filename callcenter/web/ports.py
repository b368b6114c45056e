"""What the web side asks of the call side, which it may not import."""

from typing import Protocol
from uuid import UUID


class CallControl(Protocol):
    """Carries a command to the process that holds the call's media, whichever that is."""

    async def control(self, call_id: UUID, command: str, **arguments: str) -> None:
        """Do one of these.

        ``hold``, ``resume``, ``hangup``; ``transfer`` to ``number``, ``queue``, or ``agent`` in ``queue``,
        with ``mode`` ``blind`` or ``warm``; ``complete_transfer``, ``cancel_transfer``; ``monitor``
        (``user``, ``mode``, and ``agent``, ``gateway``, ``address`` of the user's telephone),
        ``unmonitor`` (``user``);
        ``disposition`` (``agent`` and ``disposition``, what the agent calls the result; ``resolved``,
        ``true`` or ``false``, where the agent says whether it is).

        Raises ``NotFoundError`` for a call that is not open and ``TransitionError`` where the call's
        state does not allow the command.
        """
