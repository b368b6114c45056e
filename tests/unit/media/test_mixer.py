"""What one party hears of several: sums worked by hand."""

import struct

from callcenter.media.frame import FRAME_BYTES
from callcenter.media.mixer import MAX_WAITING_BYTES, Mixer, mix


def pcm16(*samples: int) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


def frame(value: int) -> bytes:
    return pcm16(*[value] * (FRAME_BYTES // 2))


def test_sound_is_summed_sample_by_sample() -> None:
    assert mix([pcm16(1, -2, 300), pcm16(10, -20, -50), pcm16(100, -200, 0)]) == pcm16(111, -222, 250)


def test_what_16_bits_cannot_hold_stays_at_their_limit() -> None:
    loud, deep = pcm16(32767, 30000, -1), pcm16(1, 10000, 1)
    assert mix([loud, deep]) == pcm16(32767, 32767, 0)
    assert mix([pcm16(-32768, -20000), pcm16(-1, -20000)]) == pcm16(-32768, -32768)
    # Three that cancel out are not cut off on the way.
    assert mix([pcm16(32767), pcm16(32767), pcm16(-32767)]) == pcm16(32767)


def test_one_alone_is_passed_on_as_it_came() -> None:
    assert mix([pcm16(5, 6)]) == pcm16(5, 6)


def test_whoever_has_a_frame_is_heard() -> None:
    mixer = Mixer()
    mixer.listen_to(["caller", "lead"])
    assert mixer.frame() is None
    mixer.add("caller", frame(100))
    assert mixer.frame() == frame(100)
    mixer.add("caller", frame(100))
    mixer.add("lead", frame(7))
    assert mixer.frame() == frame(107)
    assert mixer.frame() is None


def test_parts_of_a_frame_wait_for_the_rest() -> None:
    mixer = Mixer()
    mixer.listen_to(["caller"])
    mixer.add("caller", frame(3)[:100])
    assert mixer.frame() is None
    mixer.add("caller", frame(3)[100:] + frame(4)[:2])
    assert mixer.frame() == frame(3)
    mixer.add("caller", frame(4)[2:])
    assert mixer.frame() == frame(4)


def test_what_comes_too_late_is_dropped_oldest_first_in_whole_frames() -> None:
    mixer = Mixer()
    mixer.listen_to(["caller"])
    for value in range(1, 8):
        mixer.add("caller", frame(value))
    assert mixer.dropped_bytes == 3 * FRAME_BYTES
    assert [mixer.frame() for _ in range(5)] == [frame(4), frame(5), frame(6), frame(7), None]
    mixer.add("caller", bytes(MAX_WAITING_BYTES) + frame(9)[:10])
    assert mixer.dropped_bytes == 4 * FRAME_BYTES
    assert sum(mixer.frame() is not None for _ in range(9)) == 3


def test_who_is_not_listened_to_is_not_heard() -> None:
    mixer = Mixer()
    mixer.listen_to(["caller", "lead"])
    mixer.add("stranger", frame(1))
    mixer.add("lead", frame(2))
    mixer.add("caller", frame(3))
    mixer.listen_to(["caller"])
    mixer.add("lead", frame(4))
    assert [mixer.frame(), mixer.frame()] == [frame(3), None]
