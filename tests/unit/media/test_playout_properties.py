"""What holds for every history of a leg: the bound, the order, each mark's single end, the pace."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from callcenter.media.frame import FRAME_BYTES, FRAME_MS, PacedBy
from callcenter.media.playout import OWN_AHEAD_MS, Due, Finished, Losses, Playout, SendAudio, SendMark

Step = tuple[str, int]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("play"), st.integers(0, 900)),
        st.tuples(st.just("loop"), st.integers(1, 300)),
        st.tuples(st.just("live"), st.integers(1, 4000)),
        st.tuples(st.just("clear"), st.just(0)),
        st.tuples(st.just("echo"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(0, 60)),
        st.tuples(st.just("stall"), st.integers(60, 5000)),
        st.tuples(st.just("on time"), st.just(0)),
    ),
    max_size=60,
)


@dataclass
class Far:
    """A far end with a buffer and a clock of its own, which checks what it is sent."""

    playout: Playout
    bound_ms: int
    to_the_grid: bool = False
    now_s: float = 1000.0
    end_s: float = 0.0
    echoes: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    begun: int = 0

    def take(self, items: list[Due] | list[SendAudio] | list[Finished]) -> None:
        for item in items:
            match item:
                case SendAudio(pcm16):
                    assert pcm16
                    assert len(pcm16) % FRAME_BYTES == 0
                    self.end_s = max(self.end_s, self.now_s) + len(pcm16) / 16000
                case SendMark(name):
                    self.asked.append(name)
                    self.echoes.append(name)
                case Finished(mark):
                    self.finished.append(mark)
        ahead_ms = max(0.0, self.end_s - self.now_s) * 1000
        assert ahead_ms <= self.bound_ms + 0.001

    def step(self, kind: str, amount: int) -> None:
        playout, now_s = self.playout, self.now_s
        match kind:
            case "play":
                self.begun += 1
                playout.play(b"\1\0" * amount * 8, f"m{self.begun}")
            case "loop":
                playout.loop(b"\2\0" * amount * 8)
            case "live":
                self.take(playout.live(b"\3\0" * amount, now_s))
            case "clear":
                if not self.to_the_grid:
                    self.end_s = min(self.end_s, now_s)
                self.take(playout.clear(now_s))
                assert playout.pending_marks == []
            case "echo" if amount < len(self.echoes):
                self.take(playout.on_mark(self.echoes.pop(amount), now_s))
            case "wait" | "stall":
                self.now_s += amount / 1000
                self.take(playout.due(self.now_s))
            case "on time" if playout.next_due_s is not None:
                self.now_s = max(now_s, playout.next_due_s)
                self.take(playout.due(self.now_s))


@given(steps, st.sampled_from([20, 50, 100, 400]))
def test_a_gateway_that_paces(history: list[Step], max_ahead_ms: int) -> None:
    far = Far(Playout(PacedBy.GATEWAY, max_ahead_ms), bound_ms=max_ahead_ms)
    for kind, amount in history:
        far.step(kind, amount)
    far.step("clear", 0)
    assert far.finished == [f"m{number + 1}" for number in range(far.begun)]
    assert far.asked == sorted(far.asked, key=lambda name: int(name[1:]))
    assert far.playout.idle


@given(steps)
def test_where_we_pace(history: list[Step]) -> None:
    far = Far(Playout(PacedBy.US), bound_ms=OWN_AHEAD_MS + FRAME_MS, to_the_grid=True)
    for kind, amount in history:
        far.step(kind, amount)
    far.step("clear", 0)
    assert far.finished == [f"m{number + 1}" for number in range(far.begun)]
    assert far.asked == []


@given(st.lists(st.integers(0, 900), min_size=1, max_size=8), st.sampled_from(PacedBy))
def test_all_of_it_is_played_in_order_when_nobody_interrupts(lengths: list[int], paced_by: PacedBy) -> None:
    playout = Playout(paced_by, named_marks=False)
    now_s, heard, ends, waited = 5.0, b"", [], 0
    for number, length in enumerate(lengths):
        playout.play(bytes([number + 1, 0]) * 8 * length, str(number))
    while not playout.idle:
        for item in playout.due(now_s):
            match item:
                case SendAudio(pcm16):
                    heard += pcm16
                case Finished(mark, played):
                    assert played
                    ends.append(mark)
        assert playout.next_due_s is None or playout.next_due_s > now_s
        now_s = playout.next_due_s or now_s
        waited += 1
        assert waited < 2000
    values = [value for value in heard[::2] if value]
    assert values == [number + 1 for number, length in enumerate(lengths) for _ in range(8 * length)]
    assert ends == [str(number) for number in range(len(lengths))]


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=80))
def test_where_we_pace_deadlines_stay_on_the_grid_whatever_the_delays(delays: list[int]) -> None:
    losses = Losses()
    playout = Playout(PacedBy.US, losses=losses)
    now_us = 1_000_000
    playout.due(now_us / 1e6)
    sent = 2
    for delay in delays:
        now_us += delay * 1000
        frames = playout.due(now_us / 1e6)
        assert len(frames) <= 2
        sent += len(frames)
        due_s = playout.next_due_s
        assert due_s is not None
        assert round(due_s * 1e6 - 1_000_000) % 20_000 == 0
        assert now_us < due_s * 1e6 <= now_us + 20_000.5
    due_s = playout.next_due_s
    assert due_s is not None
    assert sent * FRAME_MS + losses.skipped_ms == round((due_s - 1) * 1000) + OWN_AHEAD_MS - FRAME_MS
