"""The voices that the bundled speech model was trained on.

Accents and variants are names of espeak-ng; rate, pitch and range follow the distributions of the
model's training (``asr/models/demo-en/README.md``).
"""

import random
from dataclasses import dataclass

ACCENTS = (
    *("en-us",) * 4,
    *("en",) * 2,
    *("en-us-nyc",) * 2,
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-029",
    "en-gb-x-gbcwmd",
)
"""Accents, repeated by their weight."""

COMMON_VARIANTS = ("m1", "m2", "m3", "m4", "m6", "m7", "m8", "f1", "f2", "f4", "f5")
_RARE_VARIANTS = (
    "klatt klatt2 klatt3 klatt5 klatt6 Andy Alex Alicia Andrea adam belinda benjamin david ed edward Gene "
    "grandma grandpa iven iven2 Jacky john kaukovalta linda Lee marcelo Mario Michael miguel Mike norbert "
    "pablo paul pedro quincy rob robert sandro shelby steph steph2 travis victor zac max michel aunty boris "
    "gustave Hugo Henrique Diogo Denis anika antonio announcer caleb"
)
RARE_VARIANTS = tuple(_RARE_VARIANTS.split())
VARIANTS = (*("",) * 3, *COMMON_VARIANTS * 2, *RARE_VARIANTS)
"""Variants, repeated by their weight; the empty one is the accent's own voice."""

_WORD_GAPS = (0, 0, 0, 0, 1, 3, 6)
_RATE_MEAN_WPM, _RATE_DEVIATION_WPM = 165, 22
_RATE_MIN_WPM, _RATE_MAX_WPM = 135, 195


@dataclass(frozen=True, slots=True)
class Voice:
    """A way to speak: ``name`` and the numbers are espeak-ng's own parameters."""

    name: str
    rate_wpm: int
    pitch: int
    pitch_range: int
    word_gap: int


def random_voice(rng: random.Random) -> Voice:
    """A voice of the training set; very slow and very fast speakers are left out."""
    variant = rng.choice(VARIANTS)
    rate = rng.gauss(_RATE_MEAN_WPM, _RATE_DEVIATION_WPM)
    return Voice(
        name=rng.choice(ACCENTS) + (f"+{variant}" if variant else ""),
        rate_wpm=int(min(max(rate, _RATE_MIN_WPM), _RATE_MAX_WPM)),
        pitch=rng.randint(25, 80),
        pitch_range=rng.randint(25, 75),
        word_gap=rng.choice(_WORD_GAPS),
    )
