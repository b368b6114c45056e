from asr.locking import LanguageLock
from asr.recognizer import AUTO, Recognition


def heard(language: str, probability: float = 0.9, text: str = "text") -> Recognition:
    return Recognition(text, language, 0.9, language_probability=probability)


def test_a_given_language_stays() -> None:
    lock = LanguageLock("en")
    lock.heard(heard("ja"), 60)
    assert lock.code == "en"


def test_six_seconds_of_voice_settle_it_for_the_surer_one() -> None:
    lock = LanguageLock(AUTO)
    lock.heard(heard("en", 0.4), 3)
    assert lock.code == AUTO
    lock.heard(heard("ja", 0.95), 2.5)
    assert lock.code == AUTO
    lock.heard(heard("ja", 0.95), 1)
    assert lock.code == "ja"
    lock.heard(heard("en", 1.0), 100)
    assert lock.code == "ja"


def test_what_had_no_words_does_not_vote() -> None:
    lock = LanguageLock(AUTO)
    lock.heard(heard("en", text=""), 60)
    assert lock.code == AUTO
