"""The engine that takes one caller through a flow. It has no clock, no sound and no line of its own.

What keys mean, as in VoiceXML 2.0 (section 4.1.5) and the platforms built on it: a key during a prompt
with ``barge_in`` stops the prompt and counts. Keys that the present node does not need are dialled
ahead: they wait for the next question, whose prompt is then not played at all, and ``play`` nodes with
``barge_in`` on the way are skipped. Before a prompt without ``barge_in`` everything dialled ahead is
dropped, and so is every key during it; the same holds after an answer that does not match, after a
timeout, and while a caller waits in a queue, leaves a message or is transferred. A gather's terminator
right after its last possible digit belongs to that number and is dropped.

Timers run from the end of the prompt, or at once where nothing is played.

What a caller says counts at questions that have phrases. A voice during a prompt with ``barge_in`` stops it,
as a key does, and while somebody speaks, or their words are on their way, nobody is asked whether they are
there. A key pressed meanwhile wins. Words that do not come in time are not waited for: the question is put
again, for keys.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import assert_never

from ivr import actions as act
from ivr import nodes as node
from ivr.answering import asking
from ivr.asking import Asking, Then, Turn
from ivr.consent import Consent
from ivr.dip import Dip
from ivr.exchange import Exchange, Interview
from ivr.flow import RETURN, Flow
from ivr.hearing import Hearing
from ivr.lookup import Lookup
from ivr.nodes import HangUpReason
from ivr.outbox import Outbox
from ivr.prompt import Prompt, render
from ivr.questions import Gather, Menu, Question
from ivr.survey import Survey
from ivr.walk import Walk

MAX_DIALLED_AHEAD = 64
SPEECH_S = 20.0
"""The longest that somebody may speak: more than a recognizer takes in one piece."""

WORDS_WITHIN_S = 3.0
"""How long to wait for the words of what was said."""


class Phase(Enum):
    """What the engine waits for."""

    IDLE = auto()  # start()
    PLAYING = auto()  # the end of the prompt
    LISTENING = auto()  # a key or the timer
    QUEUED = auto()
    RECORDING = auto()
    LOOKING_UP = auto()  # the answer and the end of the prompt
    TRANSFERRING = auto()
    ENDED = auto()


class Engine:
    """One caller in one flow: events in, actions out.

    ``variables`` are what is known about the call beforehand and go before the flow's own values;
    ``caller`` and ``called`` are telephone numbers as the gateway writes them, and variables of these
    names. ``caller`` without a digit in it is a withheld number. ``hears``: whether somebody carries out
    ``Listen``; without, questions are answered by keys.
    """

    def __init__(
        self, flow: Flow, variables: Mapping[str, str], caller: str, called: str, *, hears: bool = False
    ) -> None:
        self.phase = Phase.IDLE
        self._walk = Walk(flow, {**variables, "caller": caller, "called": called})
        self._out = Outbox()
        self._hears = hears
        self._asking: Asking | Exchange | None = None
        self._ahead: deque[str] = deque(maxlen=MAX_DIALLED_AHEAD)
        self._late_terminator: tuple[str, datetime] | None = None
        self._play_id = 0
        self._dip: Dip | None = None

    @property
    def variables(self) -> dict[str, str]:
        """What is known about the call."""
        return self._walk.variables

    @property
    def ended(self) -> bool:
        """Whether the call is over, from whichever side."""
        return self.phase is Phase.ENDED

    def start(self, now: datetime) -> list[act.Action]:
        """Enter the flow. ``now`` must have a time zone; raises ``RuntimeError`` the second time."""
        if self.phase is not Phase.IDLE:
            raise RuntimeError("the engine has already been started")
        self._run(self._walk.flow.start, now)
        return self._out.taken()

    def feed(self, event: act.Event, now: datetime) -> list[act.Action]:
        """Take an event and answer with what is to be done.

        An event that the present state does not await changes nothing and is answered with nothing.
        """
        match (self.phase, event):
            case (Phase.IDLE | Phase.ENDED, _):
                pass
            case (_, act.HungUp()):
                self.phase = Phase.ENDED
            case (_, act.Digit(digit)) if len(digit) == 1:
                self._digit(digit, now)
            case (Phase.PLAYING, act.Played(play_id)) if play_id in (None, self._play_id):
                self._run(self._after_prompt(), now)
            case (Phase.LISTENING, act.Timeout(timer_id)) if timer_id == self._out.timer_id:
                self._out.timer_id = None
                self._run(self._timed_out(), now)
            case (Phase.PLAYING | Phase.LISTENING, _) if isinstance(event, act.HEARD):
                self._heard(event, now)
            case (Phase.QUEUED, act.QueueEnded(reason)) if isinstance(self._walk.node, node.Queue):
                self._run(self._walk.node.target(reason), now)
            case (Phase.RECORDING, act.VoicemailEnded()) if isinstance(self._walk.node, node.Voicemail):
                self._run(self._walk.node.next, now)
            case (Phase.RECORDING, act.VoicemailEnded()) if isinstance(self._asking, Interview):
                self._run(self._take(self._asking.recorded()), now)
            case (Phase.LOOKING_UP, act.Played() | act.LookedUp()) if self._dip is not None:
                self._dip.take(event)
                self._run(self._dip.target(self.variables), now)
            case (Phase.TRANSFERRING, act.TransferFailed()) if isinstance(self._walk.node, node.Transfer):
                self._run(self._walk.node.failed, now)
        return self._out.taken()

    def _run(self, target: str | None, now: datetime) -> None:
        """Go from node to node until one waits; ``None`` for a target stays where the call is."""
        while True:
            while target is not None:
                target = self._enter(target, now)
            if self.phase is not Phase.LISTENING or not self._ahead:
                break
            target = self._key(self._ahead.popleft(), now)
        self._listen()
        if self.phase is Phase.LISTENING and self._out.timer_id is None and self._asking is not None:
            self._out.start_timer(self._asking.timeout_s)

    def _enter(self, target: str, now: datetime) -> str | None:
        """Enter a node; the next one if this one does not wait."""
        self._out.cancel_timer()
        self._out.stop_listening()
        self._asking = self._dip = None
        if target == RETURN:
            return self._leave_sub_flow()
        self._walk.go_to(target)
        self._out.add(act.Entered(self._walk.flow.name, target))
        match self._walk.node:
            case node.Set():
                self._walk.set(self._walk.node)
                return self._walk.node.next
            case node.Branch():
                return self._walk.branch(self._walk.node, now)
            case node.Call():
                return self._walk.enter_sub_flow(self._walk.node)
            case node.Queue():
                self._join(self._walk.node)
                return None
            case node.Transfer():
                self._wait(Phase.TRANSFERRING, act.Transfer(self._walk.node.number))
                return None
            case Question() | Consent() | Survey():
                self._asking = asking(self._walk, self._walk.node, self._hears)
                return self._take(self._asking.opening())
            case node.Play() | node.Voicemail():
                return self._prompt(
                    tuple(self._walk.rendered(self._walk.node.prompts)), self._walk.node.barge_in
                )
            case node.HangUp():
                return self._prompt(tuple(self._walk.rendered(self._walk.node.prompts)), barge_in=False)
            case Lookup():
                self._look_up(self._walk.node)
                return None
            case _:
                assert_never(self._walk.node)

    def _leave_sub_flow(self) -> str | None:
        target = self._walk.leave_sub_flow()
        if target is None:
            self._hang_up(HangUpReason.COMPLETED)
        return target

    def _join(self, entered: node.Queue) -> None:
        join = act.JoinQueue(
            entered.queue,
            entered.priority,
            entered.exit_key,
            entered.announce_position,
            comes_back=entered.answered is not None,
            skills=dict(entered.skills),
            preferred_agent=render(entered.preferred_agent, self.variables),
            callback_key=entered.callback_key,
            language=self._walk.language,
        )
        self._wait(Phase.QUEUED, join)

    def _wait(self, phase: Phase, action: act.Action) -> None:
        """Leave the caller to someone else; keys mean nothing until they are back."""
        self.phase = phase
        self._ahead.clear()
        self._out.add(action)

    def _hang_up(self, reason: HangUpReason) -> None:
        self._wait(Phase.ENDED, act.HangUp(reason))

    def _prompt(self, prompts: tuple[Prompt, ...], barge_in: bool) -> str | None:
        """Play the prompts, or do at once what comes after them."""
        self._out.stop_listening()
        if not barge_in:
            self._ahead.clear()
        if not prompts or self._ahead:
            return self._after_prompt()
        self._play_id = self._out.new_id()
        self.phase = Phase.PLAYING
        self._out.add(act.Play(prompts, barge_in, self._play_id))
        return None

    def _after_prompt(self) -> str | None:
        if self._asking is not None:
            return self._take(self._asking.heard())
        match self._walk.node:
            case node.Play():
                return self._walk.node.next
            case node.Voicemail(mailbox=mailbox, max_length_s=max_s, silence_s=silence_s):
                self._wait(Phase.RECORDING, act.Voicemail(mailbox, max_s, silence_s))
            case node.HangUp(reason=reason):
                self._hang_up(reason)
            case _:
                pass
        return None

    def _digit(self, digit: str, now: datetime) -> None:
        """Take a key as it is pressed."""
        if self._belongs_to_the_last_number(digit, now):
            return
        if self.phase is Phase.PLAYING:
            if not getattr(self._walk.node, "barge_in", False):
                return
            self._out.add(act.StopPlaying())
            self._ahead.append(digit)
            self._run(self._after_prompt(), now)
        elif self.phase is Phase.LISTENING:
            self._out.cancel_timer()
            if self._out.hearing is not None and self._out.hearing.is_pending:
                self._out.stop_listening()
            self._run(self._key(digit, now), now)
        elif self.phase is Phase.LOOKING_UP and self._dip is not None and self._dip.node.barge_in:
            self._ahead.append(digit)
            self._out.add(*self._dip.interrupted())
            self._run(self._dip.target(self.variables), now)

    def _belongs_to_the_last_number(self, digit: str, now: datetime) -> bool:
        late, self._late_terminator = self._late_terminator, None
        if late is None or (isinstance(self._walk.node, Menu) and digit in self._walk.node.choices):
            return False
        return digit == late[0] and now <= late[1]

    def _key(self, digit: str, now: datetime) -> str | None:
        """Take a key that the present question waits for; where it leads, if anywhere yet."""
        if self._asking is None:
            return None
        turn = self._asking.key(digit)
        if turn.is_full and isinstance(self._walk.node, Gather):
            self._expect_late_terminator(self._walk.node, now)
        return self._take(turn)

    def _expect_late_terminator(self, entered: Gather, now: datetime) -> None:
        if self._ahead and self._ahead[0] == entered.terminator:
            self._ahead.popleft()
        elif entered.terminator and not self._ahead:
            until = now + timedelta(seconds=entered.inter_digit_timeout_s)
            self._late_terminator = (entered.terminator, until)

    def _take(self, turn: Turn) -> str | None:
        """Do what a question asks for; where the call goes, if anywhere yet."""
        assert self._asking is not None
        self._out.add(*turn.actions)
        if turn.again:
            self._ahead.clear()
        match turn.then:
            case Then.ASK:
                barge_in = bool(getattr(self._walk.node, "barge_in", False))
                return self._prompt(self._asking.prompts, barge_in)
            case Then.LISTEN:
                self.phase = Phase.LISTENING
                return None
            case Then.RECORD:
                assert isinstance(self._asking, Interview)
                self._wait(Phase.RECORDING, self._asking.recording())
                return None
            case Then.LEAVE:
                return turn.target
            case Then.OPERATOR:
                return self._walk.to_operator()

    def _timed_out(self) -> str | None:
        if self._asking is None:
            return None
        if self._out.hearing is not None and self._out.hearing.is_pending:
            return self._take(self._asking.deafened())
        return self._take(self._asking.timed_out())

    def _look_up(self, entered: Lookup) -> None:
        """Ask, and play the prompts meanwhile; keys are dialled ahead."""
        self._dip = Dip(entered, self._out.new_id())
        request = entered.request(self.variables)
        self._out.add(act.LookUp(self._dip.lookup_id, self._walk.name, request))
        if not entered.barge_in:
            self._ahead.clear()
        prompts = tuple(self._walk.rendered(entered.prompts))
        if prompts and not self._ahead:
            self._dip.play_id = self._out.new_id()
            self._out.add(act.Play(prompts, entered.barge_in, self._dip.play_id))
        self.phase = Phase.LOOKING_UP

    # Words.

    def _listen(self) -> None:
        """Begin to listen where the present question wants to hear words now."""
        if self._out.hearing is not None or self._asking is None:
            return
        is_open = self.phase is Phase.LISTENING or (
            self.phase is Phase.PLAYING and bool(getattr(self._walk.node, "barge_in", False))
        )
        wanted = self._asking.listening if is_open else None
        if wanted is not None:
            self._out.listen(self._walk.name, wanted)

    def _heard(self, event: act.Heard, now: datetime) -> None:
        """Take what the present question listens for."""
        hearing, question = self._out.hearing, self._asking
        if hearing is None or question is None or event.listen_id not in (None, hearing.listen_id):
            return
        match event:
            case act.SpeechStarted():
                hearing.started()
                self._interrupt()
                self._out.start_timer(SPEECH_S)
            case act.SpeechEnded() if hearing.is_pending:
                self._out.start_timer(WORDS_WITHIN_S)
            case act.SpeechEnded():
                pass
            case act.Speech(text, confidence):
                said = hearing.said(text, confidence)
                if said is None and (hearing.is_pending or self.phase is Phase.PLAYING):
                    return
                self._interrupt()
                self._out.cancel_timer()
                self._run(self._take(question.words(*said)) if said is not None else None, now)
            case act.NotHeard():
                self._run(self._deafened(question, hearing), now)

    def _interrupt(self) -> None:
        if self.phase is Phase.PLAYING:
            self._out.add(act.StopPlaying())
            self.phase = Phase.LISTENING

    def _deafened(self, question: Asking | Exchange, hearing: Hearing) -> str | None:
        """Go on without words; a prompt that plays, or a caller who thinks, is not disturbed."""
        is_pending = hearing.is_pending
        self._out.stop_listening()
        question.is_deaf = True
        if self.phase is Phase.PLAYING or not (is_pending or question.is_hopeless):
            return None
        self._out.cancel_timer()
        return self._take(question.deafened())
