"""A page without a browser: speaks viser's protocol over a WebSocket, keeps what it is shown and presses buttons."""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import zstandard
from viser import __version__
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

CAMERA = {
    "type": "ViewerCameraMessage",
    "wxyz": (1.0, 0.0, 0.0, 0.0),
    "position": (1.0, 1.0, 1.0),
    "fov": 0.8,
    "near": 0.1,
    "far": 100.0,
    "image_height": 100,
    "image_width": 100,
    "look_at": (0.0, 0.0, 0.0),
    "up_direction": (0.0, 0.0, 1.0),
}


class PageClient:
    """One page. hear: gets every message as it comes, in the page's own thread."""

    def __init__(
        self,
        port: int,
        *,
        origin: str | None = None,
        hear: Callable[[dict], None] = lambda _: None,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        cookie: str = "",
        version: str = __version__,
    ) -> None:
        own = f"{'http' if tls is None else 'https'}://{host}:{port}"
        self._socket = connect(
            own.replace("http", "ws", 1),
            ssl=tls,
            additional_headers={"Cookie": cookie} if cookie else None,
            subprotocols=[f"viser-v{version}"],
            origin=own if origin is None else origin,
            max_size=None,
            compression=None,
        )
        self._hear, self._lock = hear, threading.Lock()
        self.parts: dict[str, dict[str, Any]] = {}
        self.commands: dict[str, str] = {}
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        with contextlib.suppress(ConnectionClosed):
            self.send(CAMERA)

    def send(self, message: dict[str, Any]) -> None:
        """A message as a browser's page sends it."""
        self._socket.send(msgspec.msgpack.encode(message))

    def send_bytes(self, data: bytes) -> None:
        """What no page sends."""
        self._socket.send(data)

    def _read(self) -> None:
        try:
            for data in self._socket:
                whole, packed = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:16], "little")
                plain = zstandard.ZstdDecompressor().decompress(data[16 : 16 + packed], max_output_size=whole)
                for message in msgspec.msgpack.decode(plain)["messages"]:
                    self._take(message)
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()

    def _take(self, message: dict[str, Any]) -> None:
        with self._lock:
            if message["type"] == "RegisterCommandMessage":
                self.commands[message["props"]["label"]] = message["uuid"]
            elif message["type"] == "GuiUpdateMessage":
                self.parts.get(message["uuid"], {}).update(message["updates"])
            elif message["type"].startswith("Gui") and "props" in message:
                part = {"type": message["type"], **message["props"]}
                self.parts[message["uuid"]] = {**part, "value": message.get("value")}
        self._hear(message)

    def uuid(self, label: str) -> str:
        """Of the visible part with this label."""
        with self._lock:
            found = [u for u, p in self.parts.items() if p.get("label") == label and p.get("visible", True)]
        if not found:
            raise LookupError(f"there is no '{label}' on the page")
        return found[-1]

    def offers(self, label: str) -> bool:
        """Whether a visible part has this label."""
        try:
            self.uuid(label)
        except LookupError:
            return False
        return True

    def press(self, label: str) -> None:
        """Press a button."""
        self.send({"type": "GuiUpdateMessage", "uuid": self.uuid(label), "updates": {"value": True}})

    def write(self, label: str, text: Any) -> None:
        """Fill in a field."""
        self.send({"type": "GuiUpdateMessage", "uuid": self.uuid(label), "updates": {"value": text}})

    def trigger(self, label: str) -> None:
        """What the command's key does."""
        self.send({"type": "CommandTriggerMessage", "uuid": self.commands[label]})

    @property
    def text(self) -> str:
        """All that is written on the page."""
        with self._lock:
            return "\n".join(str(part.get("content", "")) for part in self.parts.values())

    def until(self, true: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Wait for something to be so."""
        deadline_s = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline_s, f"it did not come to be; the page says {self.text[-2000:]}"
            assert not self.closed.is_set(), "the connection was closed"
            time.sleep(0.005)

    def close(self) -> None:
        """As when the page is closed."""
        self._socket.close()
        self._thread.join(5.0)
