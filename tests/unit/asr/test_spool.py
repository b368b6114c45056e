from pathlib import Path

from asr.spool import Spool


def test_sound_comes_back_in_any_order_and_the_disk_is_given_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    places = [spool.put(bytes([number]) * 1000) for number in range(5)]
    assert spool.held == 5
    for number in (3, 0, 4):
        assert spool.take(places[number]) == bytes([number]) * 1000
    spool.forget()
    assert spool.take(places[1]) == b"\1" * 1000
    assert spool.held == 0
    again = spool.put(b"again")
    assert again == (0, 5)
    assert spool.take(again) == b"again"
    assert list(tmp_path.iterdir()) == []
