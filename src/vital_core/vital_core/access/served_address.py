"""Where a page may be served: the loopback alone, or beyond it with certificate, key and PIN."""

import ipaddress
import ssl

from vital_core.errors import ErrorCode, VitalError

LEAST_PIN = 6


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address that is served on ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_served(host: str, certificate: str, key: str, pin: str, *, prefix: str, instead: str) -> None:
    """Raises VitalError(BAD_PARAMETER) for an open port without what protects it.

    prefix: of the parameters' names; instead: how to come from elsewhere without opening a port.
    """
    if is_loopback(host) or (certificate and key and len(pin) >= LEAST_PIN):
        return
    raise VitalError(
        ErrorCode.BAD_PARAMETER,
        f"{prefix}host:={host} opens a port to others: expected {prefix}certificate, {prefix}key and a {prefix}pin of "
        f"at least {LEAST_PIN} characters with it, or 127.0.0.1 and {instead}",
    )


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Of a server with this certificate and its key, which are files. Raises OSError or ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
