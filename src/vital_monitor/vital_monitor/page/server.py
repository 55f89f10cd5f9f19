"""The web server of the page: viser's own, kept to this machine and to its own page (`vital_monitor.network` opens it).

A browser on this machine lets any site connect to the loopback. So a connection counts only when the page that makes it
came from here: its origin must be the address that it asked for, and that a name of the loopback. viser can open a
tunnel to a server of its makers when a page asks for it; here that is refused.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import viser

from vital_core.access.served_address import is_loopback
from vital_core.errors import ErrorCode, VitalError

TITLE = "ViTaL monitor"
NO_TUNNEL = "the page is served to this machine alone: a tunnel is not opened. Use ssh -L from the other machine."


def is_own_page(origin: str | None, host: str | None) -> bool:
    """Whether a connection may count. origin, host: of its request; a program that is no browser names no origin."""
    try:
        asked = urlsplit(f"//{host or ''}")
        if not is_loopback(asked.hostname or ""):
            return False
        return origin is None or urlsplit(origin).netloc == asked.netloc
    except ValueError:
        return False


class PageServer(viser.ViserServer):
    """Serves on the loopback. Raises VitalError(BAD_PARAMETER) when no port is free."""

    def __init__(self, host: str, port: int, refused: Callable[[str], None]) -> None:
        self._refused = refused
        self.admitted: set[int] = set()
        warnings.filterwarnings("ignore", "Queued a .* on a closed connection")
        logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
        try:
            # What it prints is not for an operator.
            with contextlib.redirect_stdout(io.StringIO()):
                super().__init__(host=host, port=port, label=TITLE, verbose=False)
        except (OSError, RuntimeError) as error:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"the page cannot be served on {host}:{port}: {error}") from error
        self._websock_server.on_client_connect(self._judge)
        self._websock_server.on_client_disconnect(lambda connection: self.admitted.discard(connection.client_id))

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.get_port()}"

    async def _judge(self, connection: Any) -> None:
        socket = self._websock_server._live_connections.get(connection.client_id)
        headers = {} if socket is None or socket.request is None else socket.request.headers
        origin, host = headers.get("Origin"), headers.get("Host")
        if is_own_page(origin, host):
            self.admitted.add(connection.client_id)
            return
        self._refused(f"a page of {str(origin)[:80]} at {str(host)[:80]} was turned away")
        if socket is not None:
            await socket.close(1008, "this page is for its own address alone")

    def stop(self) -> None:
        """Stop serving; without the line that viser prints."""
        with contextlib.redirect_stdout(io.StringIO()):
            super().stop()

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Refused, whoever asks."""
        self._refused(NO_TUNNEL)
        return None
