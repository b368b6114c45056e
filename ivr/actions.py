"""What goes into the engine and what comes out of it.

The session that drives the engine carries out the actions in order and feeds what comes of them. Ids
tell a late answer from the awaited one: the engine ignores a ``Played`` or ``Timeout`` that belongs to
something already over, so a session need not worry about the order in which they cross.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ivr.lookup import Request
from ivr.nodes import HangUpReason, QueueExit
from ivr.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Played:
    """The prompts of the ``Play`` with this id have been heard to their end; ``None``: of the last one."""

    play_id: int | None = None


@dataclass(frozen=True, slots=True)
class Digit:
    """The caller pressed a key: one of ``0-9 * # A-D``."""

    digit: str


@dataclass(frozen=True, slots=True)
class Timeout:
    """The timer with this id has run out."""

    timer_id: int


@dataclass(frozen=True, slots=True)
class QueueEnded:
    """The caller is back from the queue."""

    reason: QueueExit


@dataclass(frozen=True, slots=True)
class VoicemailEnded:
    """The message, or what was said in answer, is over; ``duration_s`` of it were recorded."""

    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TransferFailed:
    """The network refused the transfer; the caller is still there."""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What was found by the ``LookUp`` with this id, by variable; ``None`` when no good answer came."""

    lookup_id: int
    values: Mapping[str, str] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody speaks for sure, to the ``Listen`` with this id; ``None``: to the last one."""

    listen_id: int | None = None


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """What began with ``SpeechStarted`` is over; its words follow."""

    listen_id: int | None = None


@dataclass(frozen=True, slots=True)
class Speech:
    """What was said, empty where it came to nothing; ``confidence`` is the recognizer's own, 0 to 1."""

    text: str = field(repr=False)
    confidence: float
    listen_id: int | None = None


@dataclass(frozen=True, slots=True)
class NotHeard:
    """The recognizer cannot be had for the ``Listen`` with this id: no words will come of it."""

    listen_id: int | None = None


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller is gone."""


Event = (
    Played
    | Digit
    | Timeout
    | QueueEnded
    | VoicemailEnded
    | TransferFailed
    | SpeechStarted
    | SpeechEnded
    | Speech
    | NotHeard
    | LookedUp
    | HungUp
)


HEARD = (SpeechStarted, SpeechEnded, Speech, NotHeard)
Heard = SpeechStarted | SpeechEnded | Speech | NotHeard
"""What comes of a ``Listen``."""


@dataclass(frozen=True, slots=True)
class Play:
    """Play the prompts one after the other and feed ``Played(play_id)`` when the last one has been heard.

    ``barge_in`` says whether a key can cut them short; the engine sees to it by ``StopPlaying``.
    """

    prompts: tuple[Prompt, ...]
    barge_in: bool
    play_id: int


@dataclass(frozen=True, slots=True)
class StopPlaying:
    """Stop what plays now and drop the rest of it; no ``Played`` is awaited any more."""


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Feed ``Timeout(timer_id)`` in ``seconds`` from now."""

    timer_id: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget the timer."""

    timer_id: int


@dataclass(frozen=True, slots=True)
class Listen:
    """Hear what the caller says from now on; ``hot_words`` are likely.

    Feed ``SpeechStarted``, ``SpeechEnded`` and ``Speech`` with this id for everything that is said, or
    ``NotHeard`` where that cannot be done.
    """

    listen_id: int
    node: str
    hot_words: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class StopListening:
    """Stop hearing the caller and forget what is not recognised yet."""


@dataclass(frozen=True, slots=True)
class Entered:
    """For the log: the call reached a node."""

    flow: str
    node: str


@dataclass(frozen=True, slots=True)
class Input:
    """For the log: the caller answered. Secret keys are asterisks.

    ``kind`` is ``menu``, ``gather`` or ``survey`` for keys; for ``speech`` the value is the name of what was
    chosen or asked, or the digits that were said, never the words, and ``score`` is how well it was heard, 0
    to 1.
    """

    node: str
    kind: str
    value: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class NoInput:
    """For the log: an attempt passed without a key."""

    node: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    """For the log: an attempt with keys that mean nothing here."""

    node: str


@dataclass(frozen=True, slots=True)
class JoinQueue:
    """Put the caller in a queue; feed ``QueueEnded`` if they come back.

    ``exit_key`` and ``callback_key`` let them out; all other keys mean nothing while waiting. With
    ``comes_back`` feed it after a conversation, too, if the agent ended it; else the call ends then.
    ``skills`` are levels that the agent needs on top of what the queue asks for; ``preferred_agent`` may be
    empty. ``language`` is what the caller is spoken to in.
    """

    queue: str
    priority: int
    exit_key: str | None
    announce_position: bool
    comes_back: bool = False
    skills: Mapping[str, int] = field(default_factory=dict)
    preferred_agent: str = ""
    callback_key: str | None = None
    language: str = ""


@dataclass(frozen=True, slots=True)
class Voicemail:
    """Record until ``silence_s`` of silence or ``max_s`` in all; feed ``VoicemailEnded``."""

    mailbox: str
    max_s: float
    silence_s: float


@dataclass(frozen=True, slots=True)
class RecordWords:
    """Record the answer to a survey's question as a voicemail is; feed ``VoicemailEnded``."""

    survey: str
    question: str
    max_s: float
    silence_s: float


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask another system, beside what plays; feed ``LookedUp(lookup_id)`` whatever comes of it."""

    lookup_id: int
    node: str
    request: Request


@dataclass(frozen=True, slots=True)
class Consented:
    """Whether conversations of this call may be recorded and written down from here on."""

    node: str
    given: bool


@dataclass(frozen=True, slots=True)
class SurveyOffered:
    """For the log: the caller is asked a survey whose questions are of these ``kinds``."""

    survey: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SurveyAnswered:
    """For the log: a key's answer; ``kind`` is ``csat``, ``nps`` or ``yes_no``."""

    survey: str
    question: str
    kind: str
    score: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the call over to ``number``; feed ``TransferFailed`` if the network refuses."""

    number: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call; nothing comes after it."""

    reason: HangUpReason


Action = (
    Play
    | StopPlaying
    | StartTimer
    | CancelTimer
    | Listen
    | StopListening
    | Entered
    | Input
    | NoInput
    | NoMatch
    | JoinQueue
    | Voicemail
    | RecordWords
    | LookUp
    | Consented
    | SurveyOffered
    | SurveyAnswered
    | Transfer
    | HangUp
)
