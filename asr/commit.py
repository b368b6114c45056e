"""Which words of a growing utterance will stay: those that two passes over it agree on. Pure.

LocalAgreement-2 (Liu et al., 2020, as in whisper_streaming): what the last two passes have in common from the
start is stable. The last word of a pass may have been cut in the middle, so it never counts.
"""

from asr.languages import folded, joined, units
from asr.recognizer import AUTO


class Agreement:
    """Follows one utterance. What is stable only grows and keeps the spelling that it had first."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._stable: list[str] = []
        self._before: list[str] = []

    def hear(self, text: str, language: str | None = None) -> tuple[str, str]:
        """Take the text of a pass over all that was said so far; returns (stable, volatile).

        ``language`` is the one that the pass was made in. It tells where words part if the utterance's own
        was ``auto``; the first one given counts.
        """
        if self._language == AUTO and language and not self._stable:
            self._language = language
        now = _words(text, self._language)
        agreed = self._agreed(now)
        if agreed > len(self._stable):
            last = agreed - 1
            same = self._before[last] == now[last]
            self._stable += now[len(self._stable) : last]
            self._stable.append(now[last] if same else _bare(now[last], self._language))
        self._before = now
        return (
            joined(self._stable, self._language),
            joined(now[len(self._stable) :], self._language),
        )

    def _agreed(self, now: list[str]) -> int:
        """How many words from the start both passes have, without the last one of each."""
        most = min(len(self._before), len(now)) - 1
        count = 0
        while count < most and self._fold(self._before[count]) == self._fold(now[count]):
            count += 1
        return count

    def _fold(self, word: str) -> str:
        return folded(word, self._language)


def changed(stable: str, final: str, language: str) -> tuple[int, int]:
    """How many words that were stable the final does not have in their place, and how many were stable.

    In the cheapest way to edit what was stable into a beginning of the final these are the replaced and the
    deleted words; what the final has in addition does not count.
    """
    said, kept = _folded_words(stable, language), _folded_words(final, language)
    row = [
        (added, 0) for added in range(len(kept) + 1)
    ]  # (edits, words lost) for each beginning of the final
    for lost, word in enumerate(said, start=1):
        above, row = row, [(lost, lost)]
        for place, other in enumerate(kept):
            wrong = int(word != other)
            row.append(
                min(
                    (above[place][0] + wrong, above[place][1] + wrong),
                    (above[place + 1][0] + 1, above[place + 1][1] + 1),
                    (row[place][0] + 1, row[place][1]),
                )
            )
    return min(row)[1], len(said)


def without_overlap(before: str, after: str, language: str, longest_units: int = 4) -> str:
    """``after`` without the words, ``longest_units`` at most, with which it repeats the end of ``before``.

    Two utterances that were cut in mid-speech have 0.3 s of sound in common.
    """
    parts = _words(after, language)
    first, last = [folded(word, language) for word in parts], _folded_words(before, language)
    for count in range(min(longest_units, len(first), len(last)), 0, -1):
        if first[:count] == last[-count:]:
            return joined(parts[count:], language)
    return after


def _words(text: str, language: str) -> list[str]:
    """The units of the text; a mark that stands alone belongs to the unit before it, or else after."""
    words: list[str] = []
    leading = ""
    for unit in units(text, language):
        if folded(unit, language):
            words.append(joined([leading, unit], language) if leading else unit)
            leading = ""
        elif words:
            words[-1] = joined([words[-1], unit], language)
        else:
            leading = joined([leading, unit], language) if leading else unit
    return [*words, leading] if leading else words


def _bare(word: str, language: str) -> str:
    """Without the marks at its end."""
    end = len(word)
    while end > 1 and not folded(word[end - 1], language):
        end -= 1
    return word[:end]


def _folded_words(text: str, language: str) -> list[str]:
    return [fold for word in _words(text, language) if (fold := folded(word, language))]
