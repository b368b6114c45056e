"""Whatever comes in whatever order, the engine has ended or something is under way that will wake it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ivr import (
    Action,
    CancelTimer,
    Digit,
    Engine,
    Event,
    Flow,
    HangUp,
    HungUp,
    JoinQueue,
    Listen,
    LookedUp,
    LookUp,
    NotHeard,
    Play,
    Played,
    QueueEnded,
    QueueExit,
    RecordWords,
    Speech,
    SpeechEnded,
    SpeechStarted,
    StartTimer,
    StopListening,
    StopPlaying,
    Timeout,
    Transfer,
    TransferFailed,
    Voicemail,
    VoicemailEnded,
    check,
)

CONFIGS = Path(__file__).parents[3] / "configs" / "ivr"
EVERYTHING = check(Path(__file__).with_name("everything.yaml"))
MAIN = check(CONFIGS / "main.yaml")
SPOKEN = check(Path(__file__).with_name("spoken.yaml"))


class Session:
    """Keeps account of what the actions have set in motion, and fails on actions that make no sense."""

    def __init__(self) -> None:
        self.playing: int | None = None
        self.timer: int | None = None
        self.listen: int | None = None
        self.away: Action | None = None
        self.ended = False

    def carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            assert not self.ended, f"{action} after the end"
            match action:
                case Play(prompts, _, play_id):
                    assert prompts
                    assert self.playing is None
                    self.playing = play_id
                case StopPlaying():
                    assert self.playing is not None
                    self.playing = None
                case StartTimer(timer_id, seconds):
                    assert self.timer is None
                    assert seconds > 0
                    self.timer = timer_id
                case CancelTimer(timer_id):
                    assert self.timer == timer_id
                    self.timer = None
                case Listen(listen_id, _, hot_words, language):
                    assert self.listen is None
                    assert len(hot_words) <= 100
                    assert language in ("en", "ja")
                    self.listen = listen_id
                case StopListening():
                    assert self.listen is not None
                    self.listen = None
                case JoinQueue() | Voicemail() | RecordWords() | Transfer() | LookUp():
                    assert self.listen is None
                    assert self.away is None
                    self.away = action
                case HangUp():
                    assert self.listen is None
                    self.ended = True
        under_way = [thing for thing in (self.playing, self.timer, self.away) if thing is not None]
        beside = isinstance(self.away, LookUp) and self.playing is not None
        assert self.ended or len(under_way) == (2 if beside else 1)

    def before(self, event: Event) -> None:
        """What the outside world has done by the time the event comes."""
        match event:
            case Played(play_id) if self.playing is not None and play_id in (None, self.playing):
                self.playing = None
            case Timeout(timer_id) if timer_id == self.timer:
                self.timer = None
            case QueueEnded() if isinstance(self.away, JoinQueue):
                self.away = None
            case VoicemailEnded() if isinstance(self.away, Voicemail | RecordWords):
                self.away = None
            case TransferFailed() if isinstance(self.away, Transfer):
                self.away = None
            case LookedUp(lookup_id) if isinstance(self.away, LookUp) and lookup_id == self.away.lookup_id:
                self.away = None
            case HungUp():
                self.ended = True

    def answer(self, digit: str, reason: QueueExit) -> Event:
        """What the outside world does next when all goes well: a key or the end of what is under way."""
        match self.away:
            case JoinQueue():
                return QueueEnded(reason)
            case Voicemail() | RecordWords():
                return VoicemailEnded(2.0)
            case LookUp(lookup_id) if self.playing is None or digit in "01":
                return LookedUp(lookup_id, {"name": "Ann"} if digit == "1" else None)
            case Transfer():
                return TransferFailed()
        if self.playing is not None:
            return Played(self.playing)
        return Digit(digit) if self.timer is None or digit != "D" else Timeout(self.timer)


keys = st.sampled_from("01122233#*D")
awaited = st.tuples(keys, st.sampled_from(QueueExit))
surprise = st.one_of(
    st.sampled_from("0123456789*#ABCD").map(Digit),
    st.sampled_from(QueueExit).map(QueueEnded),
    st.builds(Played, st.integers(0, 20)),
    st.builds(Timeout, st.integers(0, 20)),
    st.builds(LookedUp, st.integers(0, 20), st.sampled_from([None, {"name": "Ann"}])),
    st.sampled_from([Played(), VoicemailEnded(2.0), TransferFailed(), Digit(""), Digit("12")]),
)
WORDS = (
    "sales",
    "support",
    "sales and support",
    "sail",
    "only words",
    "english",
    "japanese",
    "日本語",
    "サポート",
    "yes",
    "no",
    "no, sales",
    "operator",
    "agents",
    "say that again",
    "one two",
    "one two three four five",
    "twelve blah",
    "more",
    "red",
    "When will I get my refund?",
    "my refund",
    "Where is my order?",
    "that's all",
    "the weather",
    "",
)
voice = st.one_of(
    st.builds(Speech, st.sampled_from(WORDS), st.sampled_from([0.3, 0.6, 1.0])),
    st.builds(Speech, st.sampled_from(WORDS), st.just(0.9), st.integers(0, 40)),
    st.just(SpeechStarted()),
    st.just(SpeechEnded()),
    st.builds(NotHeard, st.sampled_from([None, 3, 7])),
)
conversations = st.lists(st.one_of(awaited, awaited, voice, voice, voice, surprise), min_size=15, max_size=60)
Step = Event | tuple[str, QueueExit]
calls = st.lists(st.one_of(awaited, awaited, awaited, surprise), min_size=15, max_size=60)


def run(flow: Flow, caller: str, steps: list[Step], last: Event | None, hears: bool = False) -> None:
    engine, session = Engine(flow, {}, caller, "+12025550100", hears=hears), Session()
    now = datetime(2025, 3, 29, 22, 59, 57, tzinfo=UTC)  # just before midnight in Berlin
    session.carry_out(engine.start(now))
    for step in [*steps, *([last] if last else [])]:
        now += timedelta(seconds=1.5)
        event = session.answer(*step) if isinstance(step, tuple) else step
        if not session.ended:
            session.before(event)
        actions = engine.feed(event, now)
        if session.ended:
            assert actions == []
        else:
            session.carry_out(actions)
        assert engine.ended == session.ended


@given(
    st.sampled_from([EVERYTHING, MAIN]),
    st.sampled_from(["+12025550123", "", "anonymous"]),
    calls,
    st.sampled_from([None, HungUp()]),
)
def test_the_engine_never_hangs_in_the_air(
    flow: Flow, caller: str, steps: list[Step], last: Event | None
) -> None:
    run(flow, caller, steps, last)


@given(st.sampled_from([EVERYTHING, MAIN, SPOKEN, SPOKEN]), conversations, st.booleans())
def test_nor_does_it_when_people_speak(flow: Flow, steps: list[Step], hears: bool) -> None:
    run(flow, "+12025550123", steps, None, hears)
