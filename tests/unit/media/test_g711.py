"""Against the reference code of ITU-T G.191 (Software Tool Library), written out sample by sample."""

import struct

import numpy as np
import pytest

from callcenter.media.g711 import alaw_to_pcm16, pcm16_to_alaw, pcm16_to_ulaw, ulaw_to_pcm16

EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = np.arange(-32768, 32768).astype("<i2").tobytes()


def stl_ulaw_expand(code: int) -> int:
    sign = -1 if code < 0x80 else 1
    mantissa = ~code & 0xFF
    exponent = (mantissa >> 4) & 7
    step = 4 << (exponent + 1)
    return sign * ((0x80 << exponent) + step * (mantissa & 15) + step // 2 - 4 * 33)


def stl_ulaw_compress(sample: int) -> int:
    size = min(((~sample if sample < 0 else sample) >> 2) + 33, 0x1FFF)
    segment, rest = 1, size >> 6
    while rest:
        segment, rest = segment + 1, rest >> 1
    code = ((8 - segment) << 4) | (15 - ((size >> segment) & 15))
    return code if sample < 0 else code | 0x80


def stl_alaw_expand(code: int) -> int:
    plain = (code ^ 0x55) & 0x7F
    exponent, mantissa = plain >> 4, plain & 15
    mantissa = ((mantissa + 16 if exponent else mantissa) << 4) + 8
    mantissa <<= max(0, exponent - 1)
    return mantissa if code > 127 else -mantissa


def stl_alaw_compress(sample: int) -> int:
    size = (~sample if sample < 0 else sample) >> 4
    if size > 15:
        exponent = 1
        while size > 31:
            size, exponent = size >> 1, exponent + 1
        size += (exponent << 4) - 16
    return (size if sample < 0 else size | 0x80) ^ 0x55


def samples_of(pcm16: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(pcm16) // 2}h", pcm16)


def test_expansion_follows_the_reference_for_all_codes() -> None:
    assert samples_of(ulaw_to_pcm16(EVERY_CODE)) == tuple(map(stl_ulaw_expand, range(256)))
    assert samples_of(alaw_to_pcm16(EVERY_CODE)) == tuple(map(stl_alaw_expand, range(256)))


def test_compression_follows_the_reference_for_all_samples() -> None:
    assert pcm16_to_ulaw(EVERY_SAMPLE) == bytes(map(stl_ulaw_compress, range(-32768, 32768)))
    assert pcm16_to_alaw(EVERY_SAMPLE) == bytes(map(stl_alaw_compress, range(-32768, 32768)))


def test_every_code_survives_a_round_trip() -> None:
    again = pcm16_to_ulaw(ulaw_to_pcm16(EVERY_CODE))
    # 0x7F is negative zero; zero is coded as 0xFF.
    assert [code for code in range(256) if again[code] != code] == [0x7F]
    assert pcm16_to_alaw(alaw_to_pcm16(EVERY_CODE)) == EVERY_CODE


def test_values_of_the_recommendation() -> None:
    # Tables 1 and 2 of G.711: the loudest A-law value is 4032 of 4096, of µ-law 8031 of 8159 (14 bit).
    assert samples_of(alaw_to_pcm16(b"\xaa\x2a")) == (32256, -32256)
    assert samples_of(ulaw_to_pcm16(b"\x80\x00\xff")) == (32124, -32124, 0)


def test_no_audio_is_no_audio_and_half_a_sample_is_refused() -> None:
    assert ulaw_to_pcm16(b"") == pcm16_to_ulaw(b"") == b""
    with pytest.raises(ValueError, match="multiple"):
        pcm16_to_ulaw(b"\0\0\0")
