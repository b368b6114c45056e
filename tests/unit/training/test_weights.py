import struct
from pathlib import Path

import numpy as np
import pytest

import asr
from training.weights import read_weights

BUNDLED = Path(asr.__file__).parent / "models" / "demo-en" / "model.bin"


def test_the_weights_of_the_bundled_model_are_read_back() -> None:
    weights = read_weights(BUNDLED)
    assert weights["encoder/conv1/weight"].shape == (192, 80, 3)
    assert weights["encoder/position_encodings/encodings"].shape == (1500, 192)
    assert np.array_equal(weights["decoder/projection/weight"], weights["decoder/embeddings/weight"])
    for name in ("encoder/layer_0/self_attention/linear_0/weight", "decoder/layer_1/ffn/linear_1/weight"):
        assert weights[name].dtype == np.float32
        assert 0.001 < np.abs(weights[name]).mean() < 0.5


def test_int8_is_scaled_by_row(tmp_path: Path) -> None:
    def named(name: str) -> bytes:
        return struct.pack("H", len(name) + 1) + name.encode() + b"\0"

    def array(name: str, kind: int, values: np.ndarray) -> bytes:
        shape = struct.pack(f"{values.ndim}I", *values.shape)
        head = named(name) + bytes([values.ndim]) + shape
        return head + struct.pack("=BI", kind, values.nbytes) + values.tobytes()

    model = tmp_path / "model.bin"
    model.write_bytes(
        struct.pack("I", 6)
        + named("WhisperSpec")
        + struct.pack("II", 3, 2)
        + array("w", 1, np.array([[100, -50], [10, 127]], np.int8))
        + array("w_scale", 0, np.array([100, 10], np.float32))
        + struct.pack("I", 1)
        + named("same")
        + named("w")
    )
    weights = read_weights(model)
    assert np.allclose(weights["w"], [[1.0, -0.5], [1.0, 12.7]])
    assert np.array_equal(weights["same"], weights["w"])


def test_another_version_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(struct.pack("I", 5))
    with pytest.raises(ValueError, match="binary version 5"):
        read_weights(model)
