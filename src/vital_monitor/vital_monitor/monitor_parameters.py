"""Parameters of the monitor."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from vital_core.access.served_address import check_served
from vital_core.errors import ErrorCode, VitalError


@dataclass(frozen=True)
class MonitorParameters:
    """What the page shows and where it is served: on the loopback, or beyond it with certificate, key and PIN.

    Raises VitalError(BAD_PARAMETER) for an open port without them.
    """

    task: Annotated[str, Meta(description="whose start region and step lengths are drawn")] = "usb_insertion"
    host: Annotated[str, Meta(description="address that the page is served on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port of the page, or the next free one; 0: any")] = 8090
    certificate: Annotated[str, Meta(description="file with the page's certificate; needed beyond the loopback")] = ""
    key: Annotated[str, Meta(description="file with the certificate's key")] = ""
    pin: Annotated[str, Meta(description="at least 6 characters, asked for beyond the loopback")] = ""

    session: Annotated[str, Meta(description="folder of a recorded session, shown in place of what runs")] = ""
    episode: Annotated[int, Meta(ge=0, le=10_000_000, description="which of the session")] = 0
    bag: Annotated[str, Meta(description="bag in MCAP, shown in place of what runs: folder or file")] = ""

    def __post_init__(self) -> None:
        if self.session and self.bag:
            raise VitalError(ErrorCode.BAD_PARAMETER, "session and bag are both given, expected one of them")
        tunnel = f"`ssh -L {self.port}:127.0.0.1:{self.port} <this machine>`"
        check_served(self.host, self.certificate, self.key, self.pin, prefix="", instead=tunnel)

    @property
    def with_door(self) -> bool:
        """Whether the page is asked for over TLS, and with a PIN or token."""
        return bool(self.certificate)
