"""One HTTP request to an address that somebody named, bounded in time and in size whatever the other side does.

Nothing is followed to another address, no proxy is asked, and the deadline covers the whole exchange: the look-up of
the name, a server that sends one byte a second, and one that never ends its headers.
"""

import http.client
import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from vital_core.errors import ErrorCode, VitalError, shortened

_PATH = re.compile(r"[/A-Za-z0-9._~-]*")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Endpoint:
    """The base address of a server's interface, such as http://127.0.0.1:8000/v1."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """Raises VitalError(BAD_PARAMETER) for what is no such address; it is not quoted, a key may be in it."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise _no_endpoint("it cannot be read") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _no_endpoint("it does not begin with http:// or https:// and a host")
        if parts.username is not None or parts.password is not None:
            raise _no_endpoint("it holds a name or a password: a key goes into VITAL_POINTING_KEY")
        if parts.query or parts.fragment or not _PATH.fullmatch(parts.path) or not url.isprintable():
            raise _no_endpoint("it goes on after the path")
        default = 443 if parts.scheme == "https" else 80
        return cls(parts.scheme, parts.hostname, port or default, parts.path.rstrip("/"))

    @property
    def is_loopback(self) -> bool:
        """Whether the server runs on this machine."""
        return self.host in _LOOPBACK

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def _no_endpoint(why: str) -> VitalError:
    return VitalError(ErrorCode.BAD_PARAMETER, f"the endpoint: {why}; expected such as http://127.0.0.1:8000/v1")


@dataclass(frozen=True)
class Reply:
    """What came back: status, type of the content and the content."""

    status: int
    content_type: str
    body: bytes


class NoReply(Exception):
    """The exchange failed on the way; ``late`` where its time ran out."""

    def __init__(self, why: str, *, late: bool = False) -> None:
        super().__init__(why)
        self.late = late


@dataclass
class Exchange:
    """One request: method, path below the endpoint's, body, headers. At most ``most_bytes`` of answer are taken."""

    endpoint: Endpoint
    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    most_bytes: int = 262_144
    _socket: socket.socket | None = field(default=None, init=False)
    _outcome: Reply | NoReply | None = field(default=None, init=False)

    def run(self, timeout_s: float) -> Reply:
        """Raises NoReply."""
        over = threading.Event()

        def work() -> None:
            self._outcome = self._tried(timeout_s)
            over.set()

        threading.Thread(target=work, daemon=True).start()
        if not over.wait(timeout_s):
            self._cut()
            raise NoReply(f"no whole answer within {timeout_s:.3g} s", late=True)
        assert self._outcome is not None
        if isinstance(self._outcome, NoReply):
            raise self._outcome
        return self._outcome

    def _tried(self, timeout_s: float) -> Reply | NoReply:
        try:
            return self._exchange(timeout_s)
        except TimeoutError:
            return NoReply(f"no answer within {timeout_s:.3g} s", late=True)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return NoReply(f"{type(error).__name__}: {shortened(error, 120)}")

    def _exchange(self, timeout_s: float) -> Reply:
        connection = _connection(self.endpoint, timeout_s)
        try:
            connection.connect()
            self._socket = connection.sock
            headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
            connection.request(self.method, self.endpoint.path + self.path, self.body, headers | dict(self.headers))
            response = connection.getresponse()
            body = response.read(self.most_bytes + 1)
            if len(body) > self.most_bytes:
                raise http.client.HTTPException(f"an answer of more than {self.most_bytes} bytes")
            # A bounded read does not complain of a body that ends early.
            if response.length:
                raise http.client.IncompleteRead(body, response.length)
            return Reply(response.status, response.headers.get_content_type(), body)
        finally:
            connection.close()

    def _cut(self) -> None:
        """Let the thread that waits for bytes come back."""
        try:
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def _connection(endpoint: Endpoint, timeout_s: float) -> Any:
    kind = http.client.HTTPSConnection if endpoint.scheme == "https" else http.client.HTTPConnection
    return kind(endpoint.host, endpoint.port, timeout=timeout_s)
