"""What a service knows at each moment of a simulated day: who is there, who waits, recent contacts."""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from callcenter.acd.wait_time import AgentGroup, Line, Ring
from callcenter.simulation import DayModel, Happened, Moment

RECENT = 300
"""Contacts of a queue that recent figures are made of."""

RECENT_S = 1800.0

PASSED_S = 60.0
"""Who may not be dialled for so long is passed by those who come now, as the service sees it."""


@dataclass
class History:
    """The recent past of one queue."""

    handled_s: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    waits: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=3 * RECENT))
    entries: deque[tuple[float, int]] = field(default_factory=deque)
    last_served_s: float | None = None

    @property
    def aht_s(self) -> float | None:
        return sum(self.handled_s) / len(self.handled_s) if len(self.handled_s) >= 10 else None

    @property
    def abandon_per_s(self) -> float:
        """Hang-ups per second of waiting: the maximum likelihood where most did not hang up."""
        waited_s = sum(seconds for seconds, _ in self.waits)
        return sum(gone for _, gone in self.waits) / waited_s if waited_s else 0.0

    def overtaking_per_s(self, priority: int, now_s: float) -> float:
        while self.entries and self.entries[0][0] < now_s - RECENT_S:
            self.entries.popleft()
        return sum(other > priority for _, other in self.entries) / min(RECENT_S, max(now_s, 60.0))


class Knowledge:
    """Fed with the moments of a day; asked when somebody enters."""

    def __init__(self, model: DayModel) -> None:
        self._queues_of = {agent.agent_id: agent.queues for agent in model.agents}
        self.histories = {queue.name: History() for queue in model.queues}
        self._at_work: dict[str, bool] = {}
        self._on_break: set[str] = set()
        self._waiting: dict[int, tuple[str, int]] = {}
        self._virtual: set[int] = set()
        self._away_until: dict[int, float] = {}
        self._retry_s = {
            queue.name: 0.0 if queue.callbacks is None else queue.callbacks.retry_s for queue in model.queues
        }
        self._ringing: dict[int, set[str]] = defaultdict(set)
        self._offered_at: dict[int, float] = {}
        self._rings: deque[float] = deque(maxlen=RECENT)

    def see(self, moment: Moment) -> None:
        """Take note of what has happened."""
        history = self.histories.get(moment.queue)
        match moment.what:
            case Happened.ENTERED:
                assert history is not None
                history.entries.append((moment.at_s, moment.priority))
                self._waiting[moment.caller] = moment.queue, moment.priority
            case Happened.OFFERED:
                self._ringing[moment.caller].add(moment.agent_id)
                self._offered_at.setdefault(moment.caller, moment.at_s)
                self._at_work[moment.agent_id] = False
            case Happened.MISSED:
                self._ringing.pop(moment.caller, None)
                self._on_break.add(moment.agent_id)
            case Happened.ANSWERED:
                assert history is not None
                self._leaves(moment, history, gone=False)
                history.last_served_s = moment.seconds
                self._rings.append(moment.at_s - self._offered_at.pop(moment.caller))
            case Happened.ABANDONED:
                assert history is not None
                self._leaves(moment, history, gone=True)
            case Happened.ASKED:
                assert history is not None
                self._virtual.add(moment.caller)
                history.waits.append((moment.seconds, False))
            case Happened.CALLED_BACK:
                self._forget(moment.caller)
            case Happened.UNREACHED:
                self._ringing.pop(moment.caller, None)
                self._away_until[moment.caller] = moment.at_s + self._retry_s[moment.queue] - PASSED_S
                if not moment.ahead:
                    self._forget(moment.caller)
            case Happened.FREED:
                self._at_work[moment.agent_id] = True
                if history is not None:
                    history.handled_s.append(moment.seconds)
            case Happened.SIGNED_IN:
                self._at_work[moment.agent_id] = True
            case Happened.BREAK_OVER:
                self._on_break.discard(moment.agent_id)
                self._at_work[moment.agent_id] = True
            case Happened.SIGNED_OUT:
                self._at_work.pop(moment.agent_id, None)

    def _forget(self, caller: int) -> None:
        self._virtual.discard(caller)
        self._away_until.pop(caller, None)
        self._waiting.pop(caller, None)
        self._ringing.pop(caller, None)

    def _leaves(self, moment: Moment, history: History, *, gone: bool) -> None:
        self._forget(moment.caller)
        history.waits.append((moment.seconds, gone))

    @property
    def ring(self) -> Ring:
        if len(self._rings) < 10:
            return Ring()
        mean = sum(self._rings) / len(self._rings)
        return Ring(mean, (sum((one - mean) ** 2 for one in self._rings) / len(self._rings)) ** 0.5)

    def agents(self, queue: str) -> int:
        """How many are at work who serve the queue."""
        return sum(queue in self._queues_of[one] for one in self._at_work if one not in self._on_break)

    def groups(self) -> list[AgentGroup]:
        there: Counter[frozenset[str]] = Counter()
        free: Counter[frozenset[str]] = Counter()
        for one, is_free in self._at_work.items():
            if one not in self._on_break:
                there[self._queues_of[one]] += 1
                free[self._queues_of[one]] += is_free
        return [AgentGroup(queues, count, free[queues]) for queues, count in there.items()]

    def lines(self, moment: Moment) -> dict[str, Line]:
        """The lines in front of the one who has just entered."""
        before = {
            caller: queue
            for caller, (queue, priority) in self._waiting.items()
            if priority >= moment.priority
            and not self._ringing.get(caller)
            and caller != moment.caller
            and self._away_until.get(caller, 0.0) <= moment.at_s
        }
        ahead = Counter(before.values())
        virtual = Counter(before[caller] for caller in self._virtual if caller in before)
        ring_s = self.ring.mean_s
        return {
            name: Line(
                ahead[name],
                virtual[name],
                service_s=None if history.aht_s is None else history.aht_s + ring_s,
                abandon_per_s=history.abandon_per_s,
                overtaking_per_s=history.overtaking_per_s(moment.priority, moment.at_s),
                volume=len(history.entries),
            )
            for name, history in self.histories.items()
        }
