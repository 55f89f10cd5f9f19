"""Where the WebXR page is served, and what an address beyond the loopback needs."""

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError


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
        local = self.host == "localhost" or _is_loopback(self.host)
        if not local and not (self.certificate and self.key and len(self.pin) >= 6):
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"webxr_host:={self.host} opens a port to others: expected webxr_certificate, webxr_key and a "
                "webxr_pin of at least 6 characters with it, or 127.0.0.1 and `adb reverse tcp:8443 tcp:8443`",
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
