"""The leg of somebody who is not there yet: a customer who is still to be dialled."""

from callcenter.telephony.port import LegInfo


class AbsentLeg:
    """A ``Leg`` that leads nowhere. ``info`` says who is expected."""

    def __init__(self, info: LegInfo) -> None:
        self.info = info

    async def send_audio(self, pcm16: bytes) -> None:
        """Nobody hears it."""

    async def send_mark(self, name: str) -> bool:
        """There are no marks."""
        return False

    async def send_clear(self) -> None:
        """There is nothing to drop."""

    async def close(self) -> None:
        """There is nothing to end."""
