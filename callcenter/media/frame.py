"""The unit of sound inside the service: 20 ms of 16-bit little-endian PCM, mono, 8000 Hz."""

from enum import StrEnum

SAMPLE_RATE_HZ = 8000
FRAME_MS = 20
FRAME_SAMPLES = SAMPLE_RATE_HZ * FRAME_MS // 1000
FRAME_BYTES = 2 * FRAME_SAMPLES
SILENCE = bytes(FRAME_BYTES)


class PacedBy(StrEnum):
    """Who sees to it that a party hears 20 ms of sound every 20 ms."""

    GATEWAY = "gateway"  # it buffers what we send; we may send ahead
    US = "us"  # what we write is heard at once; we write a frame every 20 ms, silence when idle
