"""The vocabulary: every word of the grammar one token, digits one by one, bytes for all else.

The order of ids is what CTranslate2 and faster-whisper expect of Whisper: text, then the control tokens,
then 1,501 time stamps of 20 ms. faster-whisper bans the first token of " -", " '" and of music notes at
the start of words; as words of their own they keep it from banning the bare space.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.text import words

TIMESTAMPS = 1501
TIMESTAMP_S = 0.02
CONTROLS = (
    "endoftext",
    "startoftranscript",
    "en",
    "translate",
    "transcribe",
    "startoflm",
    "startofprev",
    "nospeech",
    "notimestamps",
)
_TEXT_TOKENS_MAX = 6000
_BANNED_BY_FASTER_WHISPER = (" -", " '", " ♩", "♩", " ♪", "♪")


@dataclass(frozen=True)
class Tokens:
    """A vocabulary and the ids of its control tokens."""

    tokenizer: Tokenizer

    @classmethod
    def build(cls) -> "Tokens":
        """Make the vocabulary from the grammar; the same one every time."""
        forms = {form for word in words() for form in (word, word.lower(), word[0].upper() + word[1:])}
        corpus = sorted(" " + form for form in forms | set("0123456789"))
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
        learner = Tokenizer(models.BPE())
        learner.pre_tokenizer = byte_level
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        trainer = trainers.BpeTrainer(
            vocab_size=_TEXT_TOKENS_MAX, initial_alphabet=alphabet, show_progress=False, min_frequency=1
        )
        learner.train_from_iterator([*corpus, *_BANNED_BY_FASTER_WHISPER], trainer)
        learner.decoder = decoders.ByteLevel()
        learner.add_special_tokens([_added(f"<|{name}|>", special=True) for name in CONTROLS])
        learner.add_tokens([_added(f"<|{at * TIMESTAMP_S:.2f}|>") for at in range(TIMESTAMPS)])
        return cls(learner)

    @classmethod
    def load(cls, path: Path) -> "Tokens":
        """Read a ``tokenizer.json``."""
        return cls(Tokenizer.from_file(str(path)))

    def __len__(self) -> int:
        return int(self.tokenizer.get_vocab_size())

    def id_of(self, control: str) -> int:
        """The id of a control token, such as ``endoftext``; raises ``KeyError``."""
        return self.id_of_token(f"<|{control}|>")

    def id_of_token(self, token: str) -> int:
        """The id of a token as it is written in the vocabulary; raises ``KeyError``."""
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise KeyError(token)
        return int(found)

    @cached_property
    def end(self) -> int:
        """``endoftext``; every lower id is text."""
        return self.id_of("endoftext")

    @cached_property
    def first_timestamp(self) -> int:
        """The time stamp of 0 s; every higher id is a later one."""
        return self.id_of("0.00")

    def encode(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids of ``text`` as it follows other text, and the characters that each stands for."""
        encoding = self.tokenizer.encode(" " + text, add_special_tokens=False)
        offsets = [(max(start - 1, 0), end - 1) for start, end in encoding.offsets]
        return list(encoding.ids), offsets

    def decode(self, ids: list[int]) -> str:
        """The text of ``ids``, control tokens left out."""
        return str(self.tokenizer.decode(ids)).strip()

    def vocabulary(self) -> list[str]:
        """All tokens by id."""
        by_id = sorted(self.tokenizer.get_vocab().items(), key=lambda item: item[1])
        return [token for token, _ in by_id]


def _added(token: str, special: bool = False) -> AddedToken:
    return AddedToken(token, special=special, normalized=False)
