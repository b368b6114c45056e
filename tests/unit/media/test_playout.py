"""The ledger of one leg on both kinds of pacing."""

import pytest

from callcenter.errors import OverloadedError
from callcenter.media.frame import FRAME_BYTES, SILENCE, PacedBy
from callcenter.media.playout import MAX_ITEMS, Due, Finished, Losses, Playout, SendAudio, SendMark

GATEWAY, US = PacedBy.GATEWAY, PacedBy.US


def sound(ms: int, value: int = 1) -> bytes:
    return bytes([value, 0]) * (8 * ms)


def sent_ms(items: list[Due] | list[SendAudio]) -> int:
    return sum(len(item.pcm16) for item in items if isinstance(item, SendAudio)) // 16


def audio(items: list[Due] | list[SendAudio]) -> bytes:
    return b"".join(item.pcm16 for item in items if isinstance(item, SendAudio))


class TestGatewayPaced:
    def test_no_more_than_the_bound_is_ahead(self) -> None:
        playout = Playout(GATEWAY)
        playout.play(sound(1000), "m")
        items = playout.due(10.0)
        assert [len(item.pcm16) // 16 for item in items if isinstance(item, SendAudio)] == [100] * 4
        assert playout.due(10.0) == playout.due(10.09) == []
        assert playout.next_due_s == pytest.approx(10.1)
        assert sent_ms(playout.due(10.1)) == 100

    def test_a_piece_its_mark_and_its_echo(self) -> None:
        playout = Playout(GATEWAY)
        playout.play(sound(50, 7), "m")
        items = playout.due(0.0)
        assert items == [SendAudio(sound(50, 7) + bytes(160)), SendMark("m")]
        assert playout.pending_marks == ["m"]
        assert playout.on_mark("m", 0.2) == [Finished("m", played=True)]
        assert (playout.idle, playout.next_due_s) == (True, None)
        assert playout.on_mark("m", 0.3) == []

    def test_a_mark_that_never_comes_is_finished_by_the_clock(self) -> None:
        playout = Playout(GATEWAY)
        playout.play(sound(100), "m")
        playout.due(5.0)
        assert playout.next_due_s == pytest.approx(7.1)
        assert playout.due(7.09) == []
        assert playout.due(7.1) == [Finished("m", played=True)]
        assert playout.due(9.0) == playout.on_mark("m", 9.0) == []

    def test_a_later_mark_brings_the_lost_ones_before_it(self) -> None:
        playout = Playout(GATEWAY)
        for mark in "abc":
            playout.play(sound(20), mark)
        playout.due(0.0)
        assert playout.on_mark("b", 0.1) == [Finished("a", played=True), Finished("b", played=True)]
        assert playout.on_mark("a", 0.1) == []

    def test_unasked_marks_are_ignored(self) -> None:
        playout = Playout(GATEWAY)
        playout.play(sound(1000), "m")
        playout.due(0.0)
        assert playout.on_mark("m", 0.0) == playout.on_mark("x", 0.0) == []

    def test_clear_takes_back_everything_and_ignores_the_echoes(self) -> None:
        playout = Playout(GATEWAY)
        playout.play(sound(100), "sent")
        playout.play(sound(1000), "begun")
        playout.play(sound(100), "queued")
        playout.due(0.0)
        assert playout.clear(0.1) == [Finished(mark, played=False) for mark in ("sent", "begun", "queued")]
        assert playout.idle
        playout.play(sound(400), "sent")
        assert sent_ms(playout.due(0.1)) == 400
        assert playout.on_mark("sent", 0.12) == []
        assert playout.on_mark("sent", 0.25) == [Finished("sent", played=True)]

    def test_a_protocol_without_marks_goes_by_the_clock(self) -> None:
        playout = Playout(GATEWAY)
        playout.play(sound(100), "a")
        assert SendMark("a") in playout.due(0.0)
        playout.marks_unsupported()
        playout.play(sound(100), "b")
        assert [item for item in playout.due(0.0) if isinstance(item, SendMark)] == []
        assert playout.due(0.099) == []
        assert playout.next_due_s == pytest.approx(0.1)
        assert playout.due(0.1) == [Finished("a", played=True)]
        assert playout.due(0.2) == [Finished("b", played=True)]

    def test_a_mark_alone_is_sent_behind_what_is_queued(self) -> None:
        playout = Playout(GATEWAY)
        playout.play(sound(20))
        playout.play(b"", "end")
        assert playout.due(0.0) == [SendAudio(sound(20)), SendMark("end")]

    def test_music_goes_round_without_a_seam_until_something_is_played(self) -> None:
        tune = bytes(range(250)) + bytes(range(200))
        playout = Playout(GATEWAY)
        playout.loop(tune)
        heard = b""
        for step in range(10):
            heard += audio(playout.due(step * 0.1))
        assert heard == (tune * 100)[: len(heard)]
        assert len(heard) // 16 == 400 + 900
        assert not playout.idle
        playout.play(sound(20), "m")
        assert playout.due(1.0) == [SendAudio(sound(20)), SendMark("m")]
        assert playout.due(2.0) == []

    def test_live_audio_goes_straight_through_in_whole_frames(self) -> None:
        playout = Playout(GATEWAY)
        frame = bytes(range(160)) * 2
        assert playout.live(frame, 0.0) == [SendAudio(frame)]
        assert playout.live(frame[:276], 0.02) == []
        assert playout.live(frame[276:] + frame[:10], 0.04) == [SendAudio(frame)]

    def test_a_burst_of_live_audio_keeps_the_newest(self) -> None:
        losses = Losses()
        playout = Playout(GATEWAY, losses=losses)
        burst = b"".join(sound(20, number) for number in range(15))
        assert audio(playout.live(burst, 0.0)) == burst[5 * FRAME_BYTES :]
        assert losses == Losses(dropped_ms=100)
        assert playout.live(sound(20), 0.0) == []
        assert audio(playout.live(sound(20), 0.02)) == sound(20)

    def test_a_prompt_is_heard_alone(self) -> None:
        losses = Losses()
        playout = Playout(GATEWAY, losses=losses)
        playout.loop(sound(20))
        assert playout.live(sound(40), 0.0) == []
        assert losses == Losses()

    def test_a_small_bound_is_kept_and_a_smaller_refused(self) -> None:
        playout = Playout(GATEWAY, max_ahead_ms=50)
        playout.play(sound(500))
        assert sent_ms(playout.due(0.0)) == 40
        with pytest.raises(ValueError, match="less than a frame"):
            Playout(GATEWAY, max_ahead_ms=10)


class TestPacedByUs:
    def test_silence_flows_from_the_start_at_an_absolute_pace(self) -> None:
        playout = Playout(US)
        assert playout.next_due_s == 0.0
        assert playout.due(3.0) == [SendAudio(SILENCE)] * 2
        for slot in range(500):
            due_s = playout.next_due_s
            assert due_s == pytest.approx(3.02 + slot * 0.02)
            assert playout.due(due_s + 0.003) == [SendAudio(SILENCE)]
        assert playout.idle

    def test_an_hour_does_not_drift(self) -> None:
        playout = Playout(US)
        playout.due(0.1)
        for _ in range(180_000):
            due_s = playout.next_due_s
            assert due_s is not None
            assert len(playout.due(due_s)) == 1
        assert playout.next_due_s == pytest.approx(0.1 + 0.02 * 180_001)

    def test_a_stall_is_skipped_and_the_prompt_goes_on_where_it_was(self) -> None:
        losses = Losses()
        playout = Playout(US, losses=losses)
        prompt = b"".join(sound(20, number) for number in range(1, 11))
        playout.due(0.0)
        playout.play(prompt)
        heard = audio(playout.due(0.02))
        late = playout.due(1.005)
        heard += audio(late)
        assert len(late) <= 2
        assert heard == prompt[: len(heard)]
        assert losses == Losses(skipped_ms=960)
        assert playout.next_due_s == pytest.approx(1.02)

    def test_a_mark_is_finished_by_the_clock_and_never_sent(self) -> None:
        playout = Playout(US)
        playout.due(0.0)
        playout.play(sound(30), "m")
        assert playout.due(0.02) == [SendAudio(sound(20))]
        assert playout.due(0.04) == [SendAudio(sound(10) + bytes(160))]
        assert playout.due(0.06) == [SendAudio(SILENCE)]
        assert playout.due(0.08) == [SendAudio(SILENCE), Finished("m", played=True)]

    def test_clear_takes_back_what_is_not_written(self) -> None:
        playout = Playout(US)
        playout.play(sound(1000), "m")
        playout.due(0.0)
        assert playout.clear(0.01) == [Finished("m", played=False)]
        assert playout.due(0.02) == [SendAudio(SILENCE)]
        assert playout.clear(0.03) == []

    def test_a_piece_that_was_heard_before_the_clear_was_heard(self) -> None:
        playout = Playout(US)
        playout.play(sound(20), "m")
        playout.due(0.0)
        assert playout.clear(0.02) == [Finished("m", played=True)]

    def test_live_audio_at_a_steady_pace_waits_for_no_slot(self) -> None:
        losses = Losses()
        playout = Playout(US, losses=losses)
        playout.due(0.0)
        frames = [sound(20, number + 1) for number in range(20)]
        heard: list[bytes] = []
        for number, frame in enumerate(frames):
            now = 0.007 + number * 0.02
            heard += audio(playout.live(frame, now)), audio(playout.due(now + 0.012))
        assert b"".join(heard).replace(SILENCE, b"") == b"".join(frames)
        assert losses == Losses()
        assert heard[-2:] == [frames[-1], b""]

    def test_a_burst_of_live_audio_waits_and_drops_the_oldest(self) -> None:
        losses = Losses()
        playout = Playout(US, losses=losses)
        playout.due(0.0)
        frames = [sound(20, number + 1) for number in range(12)]
        assert audio(playout.live(b"".join(frames), 0.0)) == frames[0]
        assert losses == Losses(dropped_ms=5 * 20)
        heard = b"".join(audio(playout.due(0.02 * slot)) for slot in range(1, 8))
        assert heard == b"".join(frames[6:]), heard
        assert playout.idle

    def test_live_audio_that_waits_does_not_outlive_a_prompt(self) -> None:
        losses = Losses()
        playout = Playout(US, losses=losses)
        playout.due(0.0)
        playout.live(sound(100, 9), 0.0)
        playout.play(sound(20, 5))
        heard = b"".join(audio(playout.due(0.02 * slot)) for slot in range(1, 6))
        assert heard.replace(SILENCE, b"") == sound(20, 5)
        assert losses == Losses()


@pytest.mark.parametrize("paced_by", PacedBy)
class TestBadInput:
    def test_half_a_sample(self, paced_by: PacedBy) -> None:
        for refused in (Playout(paced_by).play, Playout(paced_by).loop):
            with pytest.raises(ValueError, match="whole samples"):
                refused(b"123")

    def test_a_loop_of_nothing(self, paced_by: PacedBy) -> None:
        with pytest.raises(ValueError, match="no sound"):
            Playout(paced_by).loop(b"")

    def test_a_mark_twice(self, paced_by: PacedBy) -> None:
        playout = Playout(paced_by)
        playout.play(sound(20), "m")
        with pytest.raises(ValueError, match="still pending"):
            playout.play(sound(20), "m")
        playout.due(0.0)
        with pytest.raises(ValueError, match="still pending"):
            playout.play(sound(20), "m")

    def test_too_many_pieces(self, paced_by: PacedBy) -> None:
        playout = Playout(paced_by)
        for _ in range(MAX_ITEMS):
            playout.play(sound(20))
        with pytest.raises(OverloadedError):
            playout.play(sound(20))
