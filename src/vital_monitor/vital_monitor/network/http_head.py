"""The head of one HTTP request: read within bounds, and said anew for the server behind the door."""

from dataclasses import dataclass, field

MOST_HEAD_BYTES = 16_384
MOST_BODY_BYTES = 256
# Of one hop, or said anew.
NOT_PASSED_ON = ("host", "origin", "cookie", "connection", "referer", "forwarded", "x-forwarded-for", "authorization")


@dataclass(frozen=True)
class Head:
    """Method, path, and headers by name in lower case."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """What the browser asked for."""
        return self.headers.get("host", "")

    @property
    def upgrades(self) -> bool:
        """Whether it asks for a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def body_bytes(self) -> int | None:
        """How long its body is; None where it does not say so in a way that is understood here."""
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not (length.isascii() and length.isdigit()):
            return None
        return int(length)

    @property
    def is_own(self) -> bool:
        """Whether a page of this very address sends it; a program that is no browser names no origin."""
        return self.headers.get("origin", f"https://{self.host}") == f"https://{self.host}"

    def cookie(self, name: str) -> str:
        """Its value; empty without it."""
        for part in self.headers.get("cookie", "").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value
        return ""

    def said_to(self, address: str) -> bytes:
        """The same request to the server at ``address`` (host:port), as from a page of its own."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {address}", f"Origin: http://{address}"]
        lines.append(f"Connection: {'Upgrade' if self.upgrades else 'close'}")
        lines += [f"{name}: {value}" for name, value in self.headers.items() if name not in NOT_PASSED_ON]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def head_of(data: bytes) -> Head:
    """Read a head that ends with its empty line. Raises ValueError for anything that is not one of HTTP/1.1."""
    request, *rest = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, path, version = request.split(" ")
    plain = path.startswith("/") and path.isascii() and path.isprintable()
    if version != "HTTP/1.1" or not plain or not (method.isascii() and method.isalpha()):
        raise ValueError("expected a request of HTTP/1.1")
    headers: dict[str, str] = {}
    for line in rest:
        name, colon, value = line.partition(":")
        bad = not colon or not name.replace("-", "").replace("_", "").isalnum() or name.lower() in headers
        if bad or any(ord(c) < 32 and c != "\t" for c in value):
            raise ValueError(f"header '{name[:40]}' is not well formed, or comes twice")
        headers[name.lower()] = value.strip()
    return Head(method, path, headers)
