"""Where utterances begin and end, with voice decisions given."""

from asr.endpoint import Endpointer, EndpointSettings, Utterance
from asr.framing import FRAME_SAMPLES

LOUD, SOFT, MUTE = (value.to_bytes(2, "little") * FRAME_SAMPLES for value in (9000, 300, 0))


def run(plan: list[tuple[int, bool, bytes]], endpointer: Endpointer | None = None) -> list[Utterance]:
    """Feed (ms, voiced, frame) one after another and flush."""
    endpointer = endpointer or Endpointer()
    found, at = [], 0
    for ms, voiced, frame in plan:
        for _ in range(ms // 20):
            found.append(endpointer.feed(frame, at, voiced))
            at += FRAME_SAMPLES
    found.append(endpointer.flush())
    return [utterance for utterance in found if utterance is not None]


def ms(samples: int) -> int:
    return samples // 8


def test_silence_says_nothing() -> None:
    assert run([(60_000, False, MUTE)]) == []


def test_an_utterance_has_its_pre_roll_and_tail_and_times() -> None:
    (said,) = run([(1000, False, MUTE), (600, True, LOUD), (2000, False, MUTE)])
    assert (ms(said.start_sample), ms(said.end_sample)) == (700, 1800)
    assert (ms(said.speech_start_sample), ms(said.speech_end_sample)) == (1000, 1600)
    assert said.voiced_ms == 600
    assert said.pcm16 == MUTE * 15 + LOUD * 30 + MUTE * 10


def test_it_ends_after_the_hangover_and_not_before() -> None:
    endpointer = Endpointer()
    at = 0
    for voiced in [True] * 30 + [False] * 24:
        assert endpointer.feed(LOUD, at, voiced) is None
        at += FRAME_SAMPLES
    assert endpointer.feed(LOUD, at, False) is not None


def test_a_short_pause_does_not_divide() -> None:
    assert len(run([(400, True, LOUD), (460, False, MUTE), (400, True, LOUD)])) == 1
    assert len(run([(400, True, LOUD), (500, False, MUTE), (400, True, LOUD)])) == 2


def test_neighbours_do_not_overlap() -> None:
    first, second = run([(400, True, LOUD), (540, False, MUTE), (400, True, LOUD)])
    assert first.end_sample <= second.start_sample
    assert ms(second.speech_start_sample - second.start_sample) == 300


def test_a_blip_is_no_utterance_but_a_short_word_is() -> None:
    assert run([(120, True, LOUD), (1000, False, MUTE)]) == []
    assert len(run([(140, True, LOUD), (1000, False, MUTE)])) == 1


def test_a_leg_that_ends_mid_word_is_flushed() -> None:
    (said,) = run([(300, True, LOUD)])
    assert (said.start_sample, ms(said.end_sample)) == (0, 300)


def test_a_monologue_without_pauses_is_cut_and_nothing_is_lost() -> None:
    pieces = run([(40_000, True, LOUD)])
    assert [ms(piece.end_sample - piece.start_sample) for piece in pieces] == [15_000, 15_000, 10_600]
    assert [piece.overlap_ms for piece in pieces] == [0, 300, 300]
    assert b"".join(piece.pcm16[piece.overlap_ms * 16 :] for piece in pieces) == LOUD * 2000


def test_a_monologue_is_cut_at_its_quietest_pause() -> None:
    plan = [
        (6000, True, LOUD),
        (300, False, SOFT),
        (1700, True, LOUD),
        (300, False, MUTE),
        (4000, True, LOUD),
    ]
    first, second = run(plan)
    assert 8000 < ms(first.end_sample) < 8300
    assert first.end_sample == second.start_sample


def test_past_ten_seconds_the_next_pause_cuts() -> None:
    first, second = run([(12_000, True, LOUD), (300, False, MUTE), (2000, True, LOUD)])
    assert 12_000 < ms(first.end_sample) <= 12_200
    assert ms(second.speech_start_sample) == 12_300


def test_a_pause_early_in_a_monologue_is_not_used() -> None:
    first, *_ = run([(1000, True, LOUD), (300, False, MUTE), (20_000, True, LOUD)])
    assert ms(first.end_sample) == 15_000


def test_a_jump_of_the_clock_ends_the_utterance() -> None:
    endpointer = Endpointer()
    for index in range(20):
        assert endpointer.feed(LOUD, index * FRAME_SAMPLES, True) is None
    ended = endpointer.feed(LOUD, 800_000, True)
    assert ended is not None
    assert (ended.start_sample, ms(ended.end_sample)) == (0, 400)
    for index in range(1, 20):
        endpointer.feed(LOUD, 800_000 + index * FRAME_SAMPLES, True)
    said = endpointer.flush()
    assert said is not None
    assert said.start_sample == 800_000


def test_flush_forgets() -> None:
    endpointer = Endpointer()
    assert len(run([(400, True, LOUD)], endpointer)) == 1
    assert endpointer.flush() is None
    (said,) = run([(400, True, LOUD)], endpointer)
    assert said.start_sample == 0


def test_settings_are_followed() -> None:
    settings = EndpointSettings(pre_roll_ms=100, hangover_ms=300, tail_ms=100, min_voiced_ms=40)
    (said,) = run([(500, False, MUTE), (40, True, LOUD), (300, False, MUTE)], Endpointer(settings))
    assert (ms(said.start_sample), ms(said.end_sample)) == (400, 640)


def test_the_end_of_a_sentence_ends_an_utterance_sooner_unless_it_goes_on() -> None:
    endpointer = Endpointer()
    at = 0

    def hear(ms: int, voiced: bool) -> list[Utterance]:
        nonlocal at
        ended = []
        for _ in range(ms // 20):
            utterance = endpointer.feed(LOUD if voiced else MUTE, at, voiced)
            at += 160
            ended += [utterance] if utterance is not None else []
        return ended

    assert hear(1000, True) == []
    endpointer.sentence_ended = True
    assert hear(280, False) == []
    assert hear(200, True) == []
    assert hear(480, False) == []
    assert len(hear(20, False)) == 1
    assert hear(1000, True) == []
    endpointer.sentence_ended = True
    (said,) = hear(300, False)
    assert said.end_sample - said.speech_end_sample == 200 * 8


def test_what_is_being_said_can_be_looked_at() -> None:
    endpointer = Endpointer()
    assert (endpointer.so_far(), endpointer.length_ms, endpointer.number) == (None, 0, 1)
    for number in range(10):
        endpointer.feed(LOUD, number * 160, True)
    so_far = endpointer.so_far()
    assert so_far is not None
    assert (so_far.voiced_ms, endpointer.length_ms, endpointer.number) == (200, 200, 1)
    assert endpointer.flush() == so_far
    assert endpointer.number == 2
