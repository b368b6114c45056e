"""What an engine asks for: actions in order, and the ids of those that are under way."""

from ivr import actions as act
from ivr.asking import Listening
from ivr.hearing import Hearing


class Outbox:
    """The actions of one step of the engine; at most one timer and one ``Listen`` are under way."""

    def __init__(self) -> None:
        self._actions: list[act.Action] = []
        self._last_id = 0
        self.timer_id: int | None = None
        self.hearing: Hearing | None = None

    def new_id(self) -> int:
        """An id that nothing has had."""
        self._last_id += 1
        return self._last_id

    def add(self, *actions: act.Action) -> None:
        """Ask for something after all that was asked for before."""
        self._actions += actions

    def taken(self) -> list[act.Action]:
        """What is to be done; begins the next step."""
        taken, self._actions = self._actions, []
        return taken

    def start_timer(self, seconds: float) -> None:
        """Start the timer anew."""
        self.cancel_timer()
        self.timer_id = self.new_id()
        self.add(act.StartTimer(self.timer_id, seconds))

    def cancel_timer(self) -> None:
        """Forget the timer, if it runs."""
        if self.timer_id is not None:
            self.add(act.CancelTimer(self.timer_id))
            self.timer_id = None

    def listen(self, node: str, wanted: Listening) -> None:
        """Begin to listen."""
        self.hearing = Hearing(self.new_id())
        self.add(act.Listen(self.hearing.listen_id, node, wanted.hot_words, wanted.language))

    def stop_listening(self) -> None:
        """Listen no more, if anybody does."""
        if self.hearing is not None:
            self.hearing = None
            self.add(act.StopListening())
