"""What is being said at one question: utterances that have begun, words that have come. Pure."""

from dataclasses import dataclass, field

MAX_PIECES = 4
"""Pieces of speech that are taken for one answer, where each begins before the words of the last came."""


@dataclass(slots=True)
class Hearing:
    """One ``Listen``. What goes on before its words are there is one answer with what came before."""

    listen_id: int
    _pending: int = 0
    _pieces: list[tuple[str, float]] = field(default_factory=list)

    @property
    def is_pending(self) -> bool:
        """Whether somebody speaks, or words are on their way."""
        return self._pending > 0

    def started(self) -> None:
        """Somebody speaks."""
        self._pending += 1

    def said(self, text: str, confidence: float) -> tuple[str, float] | None:
        """Take the words of the oldest piece; the whole answer with its least confidence, once it is there.

        ``None``: more is on its way, or nothing was said.
        """
        self._pending = max(self._pending - 1, 0)
        if text.strip():
            self._pieces.append((text.strip(), confidence))
        if not self._pieces or (self._pending and len(self._pieces) < MAX_PIECES):
            return None
        pieces, self._pieces = self._pieces, []
        return " ".join(piece for piece, _ in pieces), min(confidence for _, confidence in pieces)
