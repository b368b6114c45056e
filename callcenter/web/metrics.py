"""``/metrics``: the figures of this process and of the shop floor, for Prometheus.

Text format 0.0.4. The registry is our own, so that what libraries register globally stays out.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from callcenter.web.standing import Standing

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


def _gauge(help_: str) -> float:
    value: float = field(default=0, metadata={"help": help_, "kind": GaugeMetricFamily})
    return value


def _counter(help_: str) -> float:
    value: float = field(default=0, metadata={"help": help_, "kind": CounterMetricFamily})
    return value


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """What this process reports of itself; a counter only ever rises."""

    calls: float = _gauge("Calls in progress on this process")
    legs: float = _gauge("Legs connected to this process")
    legs_handed_over: float = _counter("Legs that came to this process and were handed to another")
    frames_in: float = _counter("Audio frames of 20 ms that came from gateways")
    frames_out: float = _counter("Audio frames of 20 ms sent to gateways")
    frames_dropped: float = _counter("Audio frames dropped because a peer was too slow")
    audio_dropped_seconds: float = _counter("Live audio dropped because a party could not take it in time")
    audio_skipped_seconds: float = _counter(
        "Time in which a party heard nothing because the service was late"
    )
    refusals: float = _counter("Legs and requests of gateways that were refused")
    protocol_errors: float = _counter("Legs ended because their gateway broke its protocol")
    events_stored: float = _counter("Events stored in the log")
    events_pending: float = _gauge("Events that wait to be stored")
    events_lost: float = _counter("Events lost because the buffer was full")
    events_rejected: float = _counter("Events that the database did not accept")
    speech_waiting: float = _gauge("Utterances that wait to be recognized")
    speech_put_off: float = _gauge("Utterances that wait on disk because too much is said")
    speech_rung: float = _gauge(
        "What gives way: 0 nothing, 1 fewer partials, 2 no partials, 3 word times later, 4 finals later"
    )
    speech_recognized: float = _counter("Utterances recognized, partial ones too")
    speech_failed: float = _counter("Utterances that could not be recognized")
    speech_retries: float = _counter("Utterances tried again at full context")
    speech_replicas_lost: float = _counter("Utterances asked for again because a replica was lost")
    speech_partials_shed: float = _counter("Partials left out because too much was said")
    speech_partials_dropped: float = _counter("Partials that no watcher could be told of in time")
    speech_words_later: float = _counter("Finals whose word times were put off")
    speech_finals_later: float = _counter("Finals that were put off")
    speech_batches: float = _counter("Batches that the model took")
    speech_rows: float = _counter("Utterances in these batches")
    speech_busy_seconds: float = _counter("Time that the model's workers spent on them")
    callbacks_in_hand: float = _gauge("Callbacks that this process answers for")
    callbacks_carried: float = _counter("Callbacks that this process began to carry out")
    callbacks_dialled: float = _counter("Customers whom it dialled for them")
    callbacks_lost: float = _counter("Callbacks that others took from it, as its lease had run out")
    callbacks_reconciled: float = _counter("Attempts of lost processes of which it found out what became")
    callbacks_unknown: float = _counter("Those of which the network could not tell")
    webhooks_delivered: float = _counter("Messages that webhooks have received")
    webhooks_failed: float = _counter("Tries to tell a webhook that failed")
    webhooks_dead: float = _counter("Messages to webhooks that were given up")


@dataclass(frozen=True, slots=True)
class WatcherFigures:
    """What the live socket reports."""

    watchers: float = _gauge("Watchers of the live socket")
    watchers_dropped: float = _counter("Watchers dropped because they were too slow")


class Metrics:
    """Counts requests, and asks the others when it is scraped.

    ``node`` says which process the figures are of: behind one address every scrape may meet another one.
    """

    def __init__(
        self, node: str, process: Callable[[], ProcessFigures], watchers: Callable[[], WatcherFigures]
    ) -> None:
        self._node = node
        self._process = process
        self._watchers = watchers
        self._requests = CollectorRegistry()
        self._seconds = Histogram(
            "callcenter_http_request_seconds",
            "Time to answer, by route",
            ["method", "route", "status"],
            buckets=BUCKETS_S,
            registry=self._requests,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; ``route`` is the template of the address, so that there are few of them."""
        known = method if method in METHODS else "other"
        self._seconds.labels(known, route, f"{status // 100}xx").observe(seconds)

    def exposition(self, standing: Standing | None) -> bytes:
        """The text; without ``standing`` (the database is away) the shop floor is left out."""
        registry = CollectorRegistry()
        registry.register(_Node(self._node))
        registry.register(_Figures(self._process()))
        registry.register(_Figures(self._watchers()))
        if standing is not None:
            registry.register(_Floor(standing))
        return generate_latest(registry) + generate_latest(self._requests)


class _Node(Collector):
    """Which process this is."""

    def __init__(self, node: str) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        yield _labelled("callcenter_node", "The process whose figures these are", "node", {self._node: 1.0})


class _Figures(Collector):
    """The fields of a dataclass of figures, one metric each."""

    def __init__(self, figures: ProcessFigures | WatcherFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for one in fields(self._figures):
            kind = one.metadata["kind"]
            yield kind(f"callcenter_{one.name}", one.metadata["help"], value=getattr(self._figures, one.name))


class _Floor(Collector):
    """Waiting lines and agents."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def collect(self) -> Iterator[Metric]:
        waiting = {row["name"]: float(row["waiting"]) for row in self._standing.queues}
        yield _labelled("callcenter_waiting", "Callers who wait", "queue", waiting)
        callbacks = {row["name"]: float(row["callbacks"]) for row in self._standing.queues}
        yield _labelled("callcenter_callbacks_in_line", "Places kept for callbacks", "queue", callbacks)
        oldest = {
            row["name"]: (self._standing.now - row["oldest_at"]).total_seconds() if row["oldest_at"] else 0.0
            for row in self._standing.queues
        }
        yield _labelled("callcenter_longest_wait_seconds", "Longest wait now", "queue", oldest)
        states = Counter(row["state"] for row in self._standing.agents)
        yield _labelled("callcenter_agents", "Agents by state", "state", states)


def _labelled(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
