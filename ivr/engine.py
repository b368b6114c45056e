"""The engine that takes one caller through a flow. It has no clock, no sound and no line of its own.

What keys mean, as in VoiceXML 2.0 (section 4.1.5) and the platforms built on it: a key during a prompt
with ``barge_in`` stops the prompt and counts. Keys that the present node does not need are dialled
ahead: they wait for the next question, whose prompt is then not played at all, and ``play`` nodes with
``barge_in`` on the way are skipped. Before a prompt without ``barge_in`` everything dialled ahead is
dropped, and so is every key during it; the same holds after an answer that does not match, after a
timeout, and while a caller waits in a queue, leaves a message or is transferred. A gather's terminator
right after its last possible digit belongs to that number and is dropped.

Timers run from the end of the prompt, or at once where nothing is played.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import assert_never

from ivr import actions as act
from ivr import nodes as node
from ivr.consent import Consent
from ivr.dip import Dip
from ivr.exchange import Asked, Exchange, Interview, Then, Turn
from ivr.flow import RETURN, Flow
from ivr.lookup import Lookup
from ivr.nodes import HangUpReason
from ivr.prompt import Item, render
from ivr.questions import Failure, Gather, Menu, Question
from ivr.survey import Survey
from ivr.walk import Walk

MAX_DIALLED_AHEAD = 64


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
    names. ``caller`` without a digit in it is a withheld number.
    """

    def __init__(self, flow: Flow, variables: Mapping[str, str], caller: str, called: str) -> None:
        self.phase = Phase.IDLE
        self._walk = Walk(flow, {**variables, "caller": caller, "called": called})
        self._out: list[act.Action] = []
        self._attempt = 1
        self._digits = ""
        self._ahead: deque[str] = deque(maxlen=MAX_DIALLED_AHEAD)
        self._late_terminator: tuple[str, datetime] | None = None
        self._last_id = 0
        self._play_id = 0
        self._timer_id: int | None = None
        self._exchange: Exchange | None = None
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
        return self._taken()

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
            case (Phase.LISTENING, act.Timeout(timer_id)) if timer_id == self._timer_id:
                self._timer_id = None
                self._run(self._timed_out(), now)
            case (Phase.QUEUED, act.QueueEnded(reason)) if isinstance(self._walk.node, node.Queue):
                self._run(self._walk.node.target(reason), now)
            case (Phase.RECORDING, act.VoicemailEnded()) if isinstance(self._walk.node, node.Voicemail):
                self._run(self._walk.node.next, now)
            case (Phase.RECORDING, act.VoicemailEnded()) if self._exchange is not None:
                self._run(self._take(self._exchange.recorded()), now)
            case (Phase.LOOKING_UP, act.Played() | act.LookedUp()) if self._dip is not None:
                self._run(self._dipped(self._dip, event), now)
            case (Phase.TRANSFERRING, act.TransferFailed()) if isinstance(self._walk.node, node.Transfer):
                self._run(self._walk.node.failed, now)
        return self._taken()

    def _taken(self) -> list[act.Action]:
        taken, self._out = self._out, []
        return taken

    def _run(self, target: str | None, now: datetime) -> None:
        """Go from node to node until one waits; ``None`` for a target stays where the call is."""
        while True:
            while target is not None:
                target = self._enter(target, now)
            if self.phase is not Phase.LISTENING or not self._ahead:
                break
            target = self._key(self._ahead.popleft(), now)
        if self.phase is Phase.LISTENING and self._timer_id is None:
            self._start_timer()

    def _enter(self, target: str, now: datetime) -> str | None:
        """Enter a node; the next one if this one does not wait."""
        self._cancel_timer()
        if target == RETURN:
            return self._leave_sub_flow()
        self._walk.go_to(target)
        self._attempt, self._digits = 1, ""
        self._exchange = None
        self._out.append(act.Entered(self._walk.flow.name, target))
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
            case node.Play() | Menu() | Gather() | node.Voicemail():
                return self._prompt(self._walk.node.prompts, self._walk.node.barge_in)
            case node.HangUp():
                return self._prompt(self._walk.node.prompts, barge_in=False)
            case Lookup():
                self._look_up(self._walk.node)
                return None
            case Consent():
                self._exchange = Asked(self._walk.node, target)
                return self._take(Turn(Then.ASK))
            case Survey():
                return self._survey(self._walk.node, target)
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
        )
        self._wait(Phase.QUEUED, join)

    def _wait(self, phase: Phase, action: act.Action) -> None:
        """Leave the caller to someone else; keys mean nothing until they are back."""
        self.phase = phase
        self._ahead.clear()
        self._out.append(action)

    def _hang_up(self, reason: HangUpReason) -> None:
        self._wait(Phase.ENDED, act.HangUp(reason))

    # Exchanges: consent and survey.

    def _survey(self, entered: Survey, name: str) -> str | None:
        if not entered.asks(self.variables.get("call_id", ""), name):
            return entered.next
        interview = Interview(entered, name, self.variables.get("recording_consent") != "no")
        self._exchange = interview
        return self._take(interview.begin())

    def _take(self, turn: Turn) -> str | None:
        """Do what an exchange asks for."""
        exchange = self._exchange
        assert exchange is not None
        self._out += turn.actions
        for action in turn.actions:
            if isinstance(action, act.Consented):
                self.variables["recording_consent"] = "yes" if action.given else "no"
        if turn.again:
            self._ahead.clear()
        match turn.then:
            case Then.ASK:
                return self._prompt(
                    tuple(exchange.prompts), bool(getattr(self._walk.node, "barge_in", False))
                )
            case Then.LISTEN:
                self.phase = Phase.LISTENING
            case Then.RECORD:
                self._wait(Phase.RECORDING, exchange.recording())
            case Then.LEAVE:
                return exchange.target
        return None

    # Lookups.

    def _look_up(self, entered: Lookup) -> None:
        """Ask, and play the prompts meanwhile; keys are dialled ahead."""
        self._last_id += 1
        self._out.append(act.LookUp(self._last_id, self._walk.name, entered.request(self.variables)))
        self._dip = Dip(self._last_id)
        if not entered.barge_in:
            self._ahead.clear()
        prompts = tuple(self._walk.rendered(entered.prompts))
        if prompts and not self._ahead:
            self._last_id += 1
            self._dip.play_id = self._last_id
            self._out.append(act.Play(prompts, entered.barge_in, self._last_id))
        self.phase = Phase.LOOKING_UP

    def _dipped(self, dip: Dip, event: act.Played | act.LookedUp) -> str | None:
        """Go on when the answer is there and the prompt is over."""
        dip.take(event)
        entered = self._walk.node
        if not dip.is_over or not isinstance(entered, Lookup):
            return None
        self._dip = None
        if dip.values is None:
            return entered.failed
        self.variables.update(dip.values)
        return entered.next

    def _dial_ahead(self, dip: Dip, digit: str) -> str | None:
        if not getattr(self._walk.node, "barge_in", False):
            return None
        self._ahead.append(digit)
        if dip.play_id is None:
            return None
        self._out.append(act.StopPlaying())
        return self._dipped(dip, act.Played(dip.play_id))

    # Prompts and keys.

    def _prompt(self, items: tuple[Item, ...], barge_in: bool) -> str | None:
        """Play the prompts, or do at once what comes after them."""
        if not barge_in:
            self._ahead.clear()
        prompts = tuple(self._walk.rendered(items))
        if not prompts or self._ahead:
            return self._after_prompt()
        self._last_id += 1
        self._play_id = self._last_id
        self.phase = Phase.PLAYING
        self._out.append(act.Play(prompts, barge_in, self._play_id))
        return None

    def _after_prompt(self) -> str | None:
        if self._exchange is not None:
            return self._take(self._exchange.heard())
        match self._walk.node:
            case node.Play():
                return self._walk.node.next
            case node.Voicemail(mailbox=mailbox, max_length_s=max_s, silence_s=silence_s):
                self._wait(Phase.RECORDING, act.Voicemail(mailbox, max_s, silence_s))
            case node.HangUp(reason=reason):
                self._hang_up(reason)
            case _:
                self.phase = Phase.LISTENING
        return None

    def _digit(self, digit: str, now: datetime) -> None:
        """Take a key as it is pressed."""
        if self._belongs_to_the_last_number(digit, now):
            return
        if self.phase is Phase.PLAYING:
            if not getattr(self._walk.node, "barge_in", False):
                return
            self._out.append(act.StopPlaying())
            self._ahead.append(digit)
            self._run(self._after_prompt(), now)
        elif self.phase is Phase.LISTENING:
            self._cancel_timer()
            self._run(self._key(digit, now), now)
        elif self.phase is Phase.LOOKING_UP and self._dip is not None:
            self._run(self._dial_ahead(self._dip, digit), now)

    def _belongs_to_the_last_number(self, digit: str, now: datetime) -> bool:
        late, self._late_terminator = self._late_terminator, None
        if late is None or (isinstance(self._walk.node, Menu) and digit in self._walk.node.choices):
            return False
        return digit == late[0] and now <= late[1]

    def _key(self, digit: str, now: datetime) -> str | None:
        """Take a key that the present node waits for; where it leads, if anywhere yet."""
        if self._exchange is not None:
            return self._take(self._exchange.key(digit))
        match self._walk.node:
            case Menu(choices=choices):
                if digit not in choices:
                    return self._failed(self._walk.node.no_match, act.NoMatch(self._walk.name))
                self._out.append(act.Input(self._walk.name, "menu", digit))
                return choices[digit]
            case Gather():
                return self._gathered(self._walk.node, digit, now)
            case _:
                return None

    def _gathered(self, entered: Gather, digit: str, now: datetime) -> str | None:
        if digit != entered.terminator:
            self._digits += digit
            if digit not in entered.digits:
                return self._failed(entered.no_match, act.NoMatch(self._walk.name))
            if len(self._digits) < entered.longest:
                return None
            self._expect_late_terminator(entered, now)
        return self._answered(entered)

    def _expect_late_terminator(self, entered: Gather, now: datetime) -> None:
        if self._ahead and self._ahead[0] == entered.terminator:
            self._ahead.popleft()
        elif entered.terminator and not self._ahead:
            until = now + timedelta(seconds=entered.inter_digit_timeout_s)
            self._late_terminator = (entered.terminator, until)

    def _answered(self, entered: Gather) -> str | None:
        if len(self._digits) < entered.shortest:
            return self._failed(entered.no_match, act.NoMatch(self._walk.name))
        self.variables[entered.variable] = self._digits
        shown = "*" * len(self._digits) if entered.secret else self._digits
        self._out.append(act.Input(self._walk.name, "gather", shown))
        return entered.next

    def _timed_out(self) -> str | None:
        if self._exchange is not None:
            return self._take(self._exchange.timed_out())
        match self._walk.node:
            case Gather() if self._digits:
                return self._answered(self._walk.node)
            case Menu() | Gather():
                return self._failed(self._walk.node.no_input, act.NoInput(self._walk.name))
            case _:
                return None

    def _failed(self, failure: Failure, record: act.NoInput | act.NoMatch) -> str | None:
        """Ask again, or go on after the last attempt."""
        self._out.append(record)
        self._ahead.clear()
        self._digits = ""
        if not isinstance(self._walk.node, Question) or self._attempt >= self._walk.node.attempts:
            return failure.next
        self._attempt += 1
        return self._prompt((*failure.prompts, *self._walk.node.prompts), self._walk.node.barge_in)

    def _start_timer(self) -> None:
        match self._walk.node:
            case Menu():
                seconds = self._walk.node.timeout_s
            case Gather() if self._digits:
                seconds = self._walk.node.inter_digit_timeout_s
            case Gather():
                seconds = self._walk.node.first_digit_timeout_s
            case Consent() | Survey() if self._exchange is not None:
                seconds = self._exchange.timeout_s
            case _:
                return
        self._last_id += 1
        self._timer_id = self._last_id
        self._out.append(act.StartTimer(self._timer_id, seconds))

    def _cancel_timer(self) -> None:
        if self._timer_id is not None:
            self._out.append(act.CancelTimer(self._timer_id))
            self._timer_id = None
