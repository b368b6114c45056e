"""Prompts with real files, the real voice and threads."""

import asyncio
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callcenter import config
from callcenter.errors import ConfigError
from callcenter.media.prompts import Prompts

TEXT = "Thank you for waiting."


def write_wav(path: Path, rate_hz: int = 44_100, channels: int = 2, seconds: float = 0.5) -> None:
    at = np.arange(int(rate_hz * seconds)) / rate_hz
    tone = (8000 * np.sin(2 * np.pi * 440 * at)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.repeat(tone, channels).tobytes())


def loudness_dbfs(pcm16: bytes) -> float:
    sound = np.frombuffer(pcm16, "<i2") / 32768
    active = sound[np.abs(sound) > 0.0056]
    return float(20 * np.log10(np.sqrt(np.mean(active**2))))


async def test_a_text_is_spoken_at_the_usual_level_with_a_silent_tail(tmp_path: Path) -> None:
    async with Prompts(config.Prompts(), tmp_path) as prompts:
        sound = await prompts.pcm(TEXT)
    assert 0.8 < len(sound) / 16_000 < 3
    assert -21 < loudness_dbfs(sound) < -19
    assert not np.frombuffer(sound, "<i2")[-400:].any()


async def test_a_text_is_made_once_for_all_processes(tmp_path: Path) -> None:
    async with Prompts(config.Prompts(), tmp_path) as prompts:
        sounds = await asyncio.gather(*(prompts.pcm(TEXT) for _ in range(8)))
    (cached,) = tmp_path.iterdir()
    assert set(sounds) == {sounds[0]}
    made_ns = cached.stat().st_mtime_ns
    async with Prompts(config.Prompts(), tmp_path) as again:
        assert await again.pcm(TEXT) == sounds[0]
    assert cached.stat().st_mtime_ns == made_ns


async def test_what_was_filled_in_for_one_caller_is_not_kept(tmp_path: Path) -> None:
    async with Prompts(config.Prompts(), tmp_path) as prompts:
        assert await prompts.pcm("Your number is 4 1 7.", keep=False)
    assert list(tmp_path.iterdir()) == []


async def test_voice_and_rate_have_their_own_cache_entries(tmp_path: Path) -> None:
    kinds = [config.Prompts(), config.Prompts(voice="en-us+f2"), config.Prompts(rate_wpm=200)]
    sounds = set()
    for settings in kinds:
        async with Prompts(settings, tmp_path) as prompts:
            sounds.add(await prompts.pcm(TEXT))
    assert len(sounds) == len(kinds) == len(list(tmp_path.iterdir()))


async def test_each_language_has_its_voice(tmp_path: Path) -> None:
    async def sound(language: str, **settings: Any) -> bytes:
        async with Prompts(config.Prompts(**settings), tmp_path / "cache") as prompts:
            return await prompts.pcm("Taxi 4.", language=language)

    own = await sound("")
    assert await sound("en") == await sound("en-GB") == await sound("tlh") == own
    german = await sound("de")
    assert german != own
    assert await sound("de-AT") == german
    assert await sound("de", voices={"de": "de+f2"}) not in (own, german)
    assert await sound("ja", voices={"ja": "en-us"}) == own


async def test_a_recording_is_in_the_language_of_its_name(tmp_path: Path) -> None:
    write_wav(tmp_path / "welcome.wav", rate_hz=8000, channels=1, seconds=1.0)
    write_wav(tmp_path / "welcome.de.wav", rate_hz=8000, channels=1, seconds=2.0)
    async with Prompts(config.Prompts(folder=tmp_path), tmp_path / "cache") as prompts:
        assert len(await prompts.pcm("Welcome.", "welcome", "en")) == 16_000
        assert len(await prompts.pcm("Willkommen.", "welcome", "de-AT")) == 32_000
        assert len(await prompts.pcm("Bienvenue.", "welcome", "fr")) not in (16_000, 32_000)


async def test_a_damaged_cache_file_is_made_again(tmp_path: Path) -> None:
    async with Prompts(config.Prompts(), tmp_path) as prompts:
        sound = await prompts.pcm(TEXT)
    (cached,) = tmp_path.iterdir()
    cached.write_bytes(b"RIFF")
    async with Prompts(config.Prompts(), tmp_path) as prompts:
        assert len(await prompts.pcm(TEXT)) == pytest.approx(len(sound), rel=0.02)


async def test_a_cache_that_cannot_be_written_does_not_silence_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with Prompts(config.Prompts(), tmp_path / "file" / "cache") as prompts:
        assert await prompts.pcm(TEXT)


async def test_a_cancelled_listener_does_not_take_the_prompt_from_the_others(tmp_path: Path) -> None:
    async with Prompts(config.Prompts(), tmp_path) as prompts:
        first = asyncio.create_task(prompts.pcm(TEXT))
        await asyncio.sleep(0)
        second = asyncio.create_task(prompts.pcm(TEXT))
        await asyncio.sleep(0)
        first.cancel()
        assert await second
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_files_override_by_text_and_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    write_wav(folder / "thank-you-for-waiting.wav")
    write_wav(folder / "welcome.wav", rate_hz=8000, channels=1, seconds=1.0)
    async with Prompts(config.Prompts(folder=folder), tmp_path / "cache") as prompts:
        assert len(await prompts.pcm(TEXT)) == pytest.approx(8000, abs=40)
        assert len(await prompts.pcm("Anything else.", "welcome")) == 16_000
        assert len(await prompts.wav(folder / "welcome.wav")) == 16_000
        with pytest.raises(ConfigError, match=r"gone\.wav: No such file"):
            await prompts.wav(folder / "gone.wav")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("content", [b"", b"not a sound", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0"])
async def test_a_broken_file_is_named_at_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "welcome.wav").write_bytes(content)
    with pytest.raises(ConfigError, match=r"welcome\.wav: "):
        async with Prompts(config.Prompts(folder=tmp_path), tmp_path / "cache"):
            pass


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (config.Prompts(voice="nosuch"), "prompts.voice: no such voice: 'nosuch'"),
        (config.Prompts(voices={"ja": "nosuch"}), "prompts.voices.ja: no such voice: 'nosuch'"),
        (config.Prompts(folder=Path("/nonexistent")), "prompts.folder: /nonexistent"),
        (config.Prompts(hold_music=Path("/nonexistent.wav")), "/nonexistent.wav: "),
    ],
)
async def test_wrong_settings_are_named_at_start(
    tmp_path: Path, settings: config.Prompts, field: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        async with Prompts(settings, tmp_path):
            pass
    assert str(caught.value).startswith(field)
    assert "\n" not in str(caught.value)


async def test_music_is_the_given_file_or_our_own(tmp_path: Path) -> None:
    write_wav(tmp_path / "music.wav", rate_hz=22_050, seconds=2.0)
    async with Prompts(config.Prompts(hold_music=tmp_path / "music.wav"), tmp_path) as prompts:
        assert len(prompts.music()) == pytest.approx(32_000, abs=40)
    async with Prompts(config.Prompts(), tmp_path) as prompts:
        assert len(prompts.music()) == 320_000
        assert prompts.beep()
