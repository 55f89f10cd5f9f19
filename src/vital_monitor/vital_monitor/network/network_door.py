"""A TLS server before the page's own: who shows the PIN gets a pass, and with a pass everything goes through.

The page's own server stays on the loopback, so that nothing is said in plain beyond this machine. A connection carries
one request, or one WebSocket; whoever has no pass yet waits in a small room, for a short time.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from http import HTTPStatus
from importlib.resources import files

from vital_core.access.door import Door
from vital_core.access.one_time_token import hand_over, owners_folder
from vital_core.access.passes import LASTS_S, Passes
from vital_core.access.served_address import tls_context
from vital_core.access.waiting_room import WaitingRoom
from vital_core.errors import ErrorCode, VitalError, coded
from vital_monitor.network.http_head import MOST_BODY_BYTES, MOST_HEAD_BYTES, Head, head_of

COOKIE, PIN_PATH = "__Host-vital_monitor", "/vital_pin"
# For the handshake, and then for the request.
CONNECT_S, GUEST_S, INNER_S = 5.0, 10.0, 5.0
PIECE_BYTES = 65_536
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'",
}
BROKEN = (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError)


class NetworkDoor:
    """Serves `https://host:port` until `close`. inner: port of the page on the loopback; told: a line for the operator.

    Raises VitalError(BAD_PARAMETER) when certificate, key or address cannot be used.
    """

    def __init__(
        self, host: str, port: int, certificate: str, key: str, pin: str, inner: int, told: Callable[[str], None]
    ) -> None:
        self._inner, self._told = inner, told
        try:
            self._tls = tls_context(certificate, key)
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._listening = socket.create_server((host, port), family=family)
        except (OSError, ssl.SSLError) as error:
            what = (
                f"the page cannot be served on {host}:{port} with certificate '{certificate}' and key '{key}': {error}"
            )
            raise VitalError(ErrorCode.BAD_PARAMETER, what) from error
        self._listening.setblocking(False)
        self.port = int(self._listening.getsockname()[1])
        self.url = f"https://{_name_of(host)}:{self.port}/"
        # The page itself would take a fragment for a part of its server's address.
        self.token_url = self.url.rstrip("/") + PIN_PATH
        self.address_file = owners_folder() / f"vital_monitor_{self.port}.url"
        self._room, self._passes = WaitingRoom(), Passes()
        try:
            self._door = Door(
                pin, lambda token: hand_over(f"{self.token_url}#{token}", self.address_file, "monitor, once")
            )
        except OSError as error:
            self._listening.close()
            what = f"{self.address_file} cannot be written ({error}): set XDG_RUNTIME_DIR to a folder of yours"
            raise VitalError(ErrorCode.BAD_PARAMETER, what) from error
        self._loop, self._tasks = asyncio.new_event_loop(), set[asyncio.Task[None]]()
        self._thread = threading.Thread(target=self._serve, name="network_door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no longer; every connection ends."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._accepting.cancel)
            self._thread.join(5.0)
        self.address_file.unlink(missing_ok=True)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._accepting = self._loop.create_task(self._accept())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._accepting)
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._listening.close()
        self._loop.close()

    async def _accept(self) -> None:
        while True:
            try:
                connection, peer = await self._loop.sock_accept(self._listening)
            except OSError:  # no descriptor is left, or the peer has gone
                await asyncio.sleep(0.1)
                continue
            task = self._loop.create_task(self._talk(connection, str(peer[0])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _talk(self, connection: socket.socket, host: str) -> None:
        with self._room.guest(connection, host), contextlib.closing(connection), contextlib.suppress(*BROKEN):
            reader = asyncio.StreamReader(MOST_HEAD_BYTES, self._loop)
            protocol = asyncio.StreamReaderProtocol(reader, loop=self._loop)
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=CONNECT_S,
                ssl_shutdown_timeout=CONNECT_S,
            )
            writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
            try:
                async with asyncio.timeout(GUEST_S):
                    judged = await self._judged(reader, host)
                    if isinstance(judged, bytes):
                        writer.write(judged)
                        return await writer.drain()
                self._room.leave(connection)
                await self._pass_on(judged, reader, writer)
            finally:
                writer.close()
                with contextlib.suppress(*BROKEN):
                    await writer.wait_closed()

    async def _judged(self, reader: asyncio.StreamReader, host: str) -> Head | bytes:
        """The request, where it may go through; else the answer to it."""
        try:
            head = head_of(await reader.readuntil(b"\r\n\r\n"))
        except (ValueError, asyncio.LimitOverrunError):
            return _answer(HTTPStatus.BAD_REQUEST, _refusal("this is not a request of HTTP/1.1"))
        if not head.is_own:
            self._told(f"a page of {head.headers['origin'][:80]} at {host} was turned away")
            return _answer(HTTPStatus.FORBIDDEN, _refusal("this page is for its own address alone"))
        if head.path == PIN_PATH and head.method == "GET" and head.body_bytes == 0:
            return _answer(HTTPStatus.OK, _page(), kind="text/html")
        if head.path == PIN_PATH:
            return await self._try_key(head, reader, host)
        if head.method not in ("GET", "HEAD") or head.body_bytes != 0:
            return _answer(HTTPStatus.METHOD_NOT_ALLOWED, _refusal("expected GET without a body"))
        if self._passes.good(head.cookie(COOKIE)):
            return head
        if head.upgrades or head.path != "/":
            return _answer(HTTPStatus.UNAUTHORIZED, _refusal("open the page first, and give the PIN there"))
        return _answer(HTTPStatus.UNAUTHORIZED, _page(), kind="text/html")

    async def _try_key(self, head: Head, reader: asyncio.StreamReader, host: str) -> bytes:
        size = head.body_bytes
        if head.method != "POST" or size is None or size > MOST_BODY_BYTES:
            words = _refusal(f"expected the PIN or token, at most {MOST_BODY_BYTES} bytes")
            return _answer(HTTPStatus.BAD_REQUEST, words)
        key = (await reader.readexactly(size)).decode(errors="replace")
        verdict = self._door.try_key(key, host)
        if not verdict.admitted:
            self._told(f"{host} was not let in: {verdict.text}")
            return _answer(HTTPStatus.FORBIDDEN, _refusal(verdict.text))
        cookie = f"{COOKIE}={self._passes.new()}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={LASTS_S:.0f}"
        return _answer(HTTPStatus.OK, verdict.text, cookie=cookie)

    async def _pass_on(self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(INNER_S):
            from_page, to_page = await asyncio.open_connection("127.0.0.1", self._inner)
        try:
            to_page.write(head.said_to(f"127.0.0.1:{self._inner}"))
            ways = [asyncio.create_task(_pour(from_page, writer))]
            # Only a WebSocket is spoken to further: what follows a plain request goes nowhere.
            ways += [asyncio.create_task(_pour(reader, to_page))] if head.upgrades else []
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            to_page.close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE_BYTES):
        writer.write(piece)
        await writer.drain()


def _answer(status: HTTPStatus, words: str, *, kind: str = "text/plain", cookie: str = "") -> bytes:
    body = words.encode()
    own = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body)), "Connection": "close"}
    own |= {"Set-Cookie": cookie} if cookie else {}
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in (HEADERS | own).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _refusal(words: str) -> str:
    return coded(ErrorCode.ACCESS_REFUSED, words)


def _page() -> str:
    return (files("vital_monitor") / "network" / "pin.html").read_text()


def _name_of(host: str) -> str:
    """What stands in an address: a machine's name where all its addresses are served."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
