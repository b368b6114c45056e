"""How wrong a transcript is: by words, or by characters where words are not parted by blanks."""

from dataclasses import dataclass

import jiwer

from asr.languages import WITHOUT_BLANKS, normalised


@dataclass(frozen=True, slots=True)
class Errors:
    """Wrong, missing and added units against ``units`` that were said."""

    units: int
    errors: int

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(self.units + other.units, self.errors + other.errors)

    @property
    def rate(self) -> float | None:
        """Errors per unit said; ``None`` where nothing was said."""
        return self.errors / self.units if self.units else None


def score(reference: str, hypothesis: str, language: str) -> Errors:
    """Compare what was heard with what was said, after both were normalised."""
    said, heard = normalised(reference, language), normalised(hypothesis, language)
    if language in WITHOUT_BLANKS:
        said, heard = " ".join(said), " ".join(heard)
    if not said:
        return Errors(0, len(heard.split()))
    found = jiwer.process_words(said, heard)
    return Errors(len(said.split()), found.substitutions + found.deletions + found.insertions)
