"""Where the WebXR page is served, and what an address beyond the loopback needs."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from vital_core.access.served_address import check_served


@dataclass(frozen=True)
class WebXrSettings:
    """Where the page is served. certificate and key are files, pin is what the operator may type instead of the
    one-time token; all three are needed for an address beyond the loopback."""

    host: Annotated[str, Meta(description="address that the page is served on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535, description="port that the page is served on")] = 8443
    certificate: Annotated[str, Meta(description="file with the page's certificate; needed beyond the loopback")] = ""
    key: Annotated[str, Meta(description="file with the certificate's key")] = ""
    pin: Annotated[str, Meta(description="at least 6 characters, in place of the one-time token")] = ""

    def check(self) -> None:
        """Raises VitalError(BAD_PARAMETER) for an open port without what protects it."""
        usb = "`adb reverse tcp:8443 tcp:8443`"
        check_served(self.host, self.certificate, self.key, self.pin, prefix="webxr_", instead=usb)
