"""What the user of the demo may choose."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """``json_file`` gets all results, ``keep`` leaves the service up, ``plain`` prints lines."""

    calls: int = 20
    agents: int = 4
    seed: int = 1
    port: int = 8080
    json_file: Path | None = None
    keep: bool = False
    plain: bool = False
