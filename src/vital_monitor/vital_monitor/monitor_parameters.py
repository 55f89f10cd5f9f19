"""Parameters of the monitor."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError

LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class MonitorParameters:
    """What the page shows and where it is served. Raises VitalError(BAD_PARAMETER) beyond the loopback."""

    task: Annotated[str, Meta(description="whose start region and step lengths are drawn")] = "usb_insertion"
    host: Annotated[str, Meta(description="address that the page is served on: the loopback alone")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port of the page, or the next free one; 0: any")] = 8090

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"host is '{self.host}', expected 127.0.0.1: whoever opens the page can steer, so it is served to this "
                "machine alone; from another one use `ssh -L 8090:127.0.0.1:8090 <this machine>`",
            )
