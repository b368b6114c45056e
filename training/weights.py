"""The weights of a finished model, read back from CTranslate2's ``model.bin``.

The format is that of ``ctranslate2.specs.model_spec`` (binary version 6). Of int8 weights comes back what
the model computes with.
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_VERSION = 6
_TYPES = ("f4", "i1", "i2", "i4", "f2")
_INT8 = np.dtype("i1")

Arrays = Mapping[str, NDArray[np.float32]]


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """All weights of a ``model.bin`` by name; raises ``ValueError`` for another version of the format."""
    raw: dict[str, NDArray[np.generic]] = {}
    with path.open("rb") as file:
        (version,) = struct.unpack("I", file.read(4))
        if version != _VERSION:
            raise ValueError(f"{path}: binary version {version}, not {_VERSION}")
        _string(file)
        _, count = struct.unpack("II", file.read(8))
        for _ in range(count):
            name = _string(file)
            dimensions = file.read(1)[0]
            shape = struct.unpack(f"{dimensions}I", file.read(4 * dimensions))
            kind, size = struct.unpack("=BI", file.read(5))
            raw[name] = np.frombuffer(file.read(size), _TYPES[kind]).reshape(shape)
        scaled = {name: _scaled(value, raw.get(f"{name}_scale")) for name, value in raw.items() if value.ndim}
        (aliases,) = struct.unpack("I", file.read(4))
        for _ in range(aliases):
            alias, name = _string(file), _string(file)
            if name in scaled:
                scaled[alias] = scaled[name]
    return scaled


def _string(file: BinaryIO) -> str:
    (size,) = struct.unpack("H", file.read(2))
    return file.read(size)[:-1].decode()


def _scaled(value: NDArray[np.generic], scale: NDArray[np.generic] | None) -> NDArray[np.float32]:
    exact = value.astype(np.float32)
    if scale is None or value.dtype != _INT8:
        return exact
    return exact / scale.astype(np.float32).reshape(-1, *[1] * (value.ndim - 1))
