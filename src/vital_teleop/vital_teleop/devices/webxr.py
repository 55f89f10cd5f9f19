"""A phone or a headset: a page on this machine that the device's browser opens, and the hand's pose over a WebSocket.

By default the page is served on the loopback alone. A browser counts that as secure, as WebXR wants it, and a device
on a USB cable reaches it with `adb reverse tcp:8443 tcp:8443`. Over a network it takes a certificate, its key and a
PIN that the operator types in. Pages of other origins are turned away, so that no site in a browser on this machine
can reach for the arm; other programs on it are kept out by a one-time token, which stands in the address that is
written to the terminal and to a file of the owner's (`vital_core.access`).
"""

import json
import logging
import ssl
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from importlib.resources import files
from typing import Any, cast

import numpy as np

from vital_core import pose as pose_of
from vital_core.access.door import Door, Verdict
from vital_core.access.one_time_token import hand_over, owners_folder
from vital_core.access.served_address import tls_context
from vital_core.access.waiting_room import WaitingRoom
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_teleop.device import Button, DeviceSample
from vital_teleop.devices.remote import Remote
from vital_teleop.devices.webxr_settings import WebXrSettings

LONGEST_MESSAGE = 2048
# For connecting, and for typing the PIN.
CONNECT_S = 5.0
GUEST_S = 60.0
MOST_TRIES = 3
# No hand is further from where its page began: such a number is a fault of the tracking.
FARTHEST_M = 100.0
# A page that does not answer for so long has gone, and its seat is free.
PING_S = 5.0
# WebXR: x right, y up, z towards the viewer; the arm's base: x away, y left, z up.
FROM_WEBXR = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self' ws: wss:; frame-ancestors 'none'",
}


def hand_pose(position: Any, quaternion: Any) -> Pose:
    """Pose of the hand with the base's axes from WebXR's position (3) and quaternion (4, xyzw).

    Raises ValueError for anything else.
    """
    values = [_number(v) for v in (*_as_list(position), *_as_list(quaternion))]
    if len(values) != 7:
        raise ValueError("expected 3 + 4 finite numbers")
    if max(map(abs, values[:3])) > FARTHEST_M:
        raise ValueError(f"expected a position of at most {FARTHEST_M:g} m")
    q = np.array(values[3:])
    if abs(float(np.linalg.norm(q)) - 1.0) > 0.01:
        raise ValueError("expected a quaternion of length 1")
    pose = pose_of.from_quaternion(values[:3], q / np.linalg.norm(q))
    turned = np.eye(4)
    turned[:3, 3] = FROM_WEBXR @ pose[:3, 3]
    turned[:3, :3] = FROM_WEBXR @ pose[:3, :3] @ FROM_WEBXR.T
    return turned


class WebXr:
    """See the module. One hand at a time."""

    name = "webxr"

    def __init__(self, settings: WebXrSettings | None = None) -> None:
        self._settings = settings or WebXrSettings()
        self._settings.check()
        self._hand = Remote()
        self._server: Any = None
        self._door: Door | None = None
        self._room = WaitingRoom()
        self._seat_lock, self._operator = threading.Lock(), cast(Any, None)
        self.refused = 0
        scheme = "https" if self._settings.certificate else "http"
        self.url = f"{scheme}://{self._settings.host}:{self._settings.port}/"
        self.address_file = owners_folder() / f"vital_webxr_{self._settings.port}.url"
        self.help = (
            f"webxr: {self.url} in the browser of the phone or headset; the address with its one-time token is on the\n"
            f"       terminal and in {self.address_file}"
            f" (on a USB cable: adb reverse tcp:{self._settings.port} tcp:{self._settings.port})"
        )

    def open(self) -> None:
        """Serve the page. Raises VitalError(DEVICE_LOST) when library, port or certificate is missing."""
        if self._server is not None:
            return
        try:
            from websockets.sync.server import serve
            from websockets.typing import Origin
        except ImportError as error:
            raise VitalError(
                ErrorCode.DEVICE_LOST, "webxr needs the package websockets: `.venv/bin/pip install websockets`"
            ) from error
        s, own = self._settings, self.url.rstrip("/")
        try:
            context = tls_context(s.certificate, s.key) if s.certificate else None
            self._server = serve(
                self._talk,
                s.host,
                s.port,
                ssl=context,
                origins=[Origin(own), Origin(own.replace("127.0.0.1", "localhost"))],
                process_request=self._page,
                max_size=LONGEST_MESSAGE,
                compression=None,
                open_timeout=CONNECT_S,
                ping_interval=PING_S,
                ping_timeout=PING_S,
                close_timeout=1.0,
                logger=_quiet(),
            )
            self._server.handler = self._as_guest(self._server.handler)
            self._door = Door(s.pin, self._publish)
        except (OSError, ssl.SSLError) as error:
            self.close()
            raise VitalError(ErrorCode.DEVICE_LOST, f"{self.url} cannot be served: {error}") from error
        threading.Thread(target=self._server.serve_forever, name="webxr", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._room.empty()
            self._server.socket.close() if self._door is None else self._server.shutdown()
            self._server = self._door = None
            self.address_file.unlink(missing_ok=True)

    def poll(self) -> DeviceSample:
        """The newest sample of the hand."""
        return self._hand.poll()

    @staticmethod
    def _page(connection: Any, request: Any) -> Any:
        if request.path == "/hand":
            return None
        if request.path != "/":
            return connection.respond(HTTPStatus.NOT_FOUND, "there is only one page here\n")
        response = connection.respond(HTTPStatus.OK, (files("vital_teleop") / "web" / "hand.html").read_text())
        del response.headers["Content-Type"]
        for name, value in HEADERS.items():
            response.headers[name] = value
        return response

    def _publish(self, token: str) -> None:
        hand_over(f"{self.url}#{token}", self.address_file, "webxr, for one device")

    def _as_guest(self, handle: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def guest(connection: Any, peer: Any) -> None:
            with self._room.guest(connection, peer[0]):
                handle(connection, peer)

        return guest

    def _talk(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        assert self._door is not None
        try:
            verdict, back = self._let_in(connection, self._door)
            if not verdict.admitted:
                return
            self._room.leave(connection.socket)
            if not self._sit_down(connection, instead=back):
                connection.send(json.dumps({"error": "another hand is connected: close its page first"}))
                return
            try:
                connection.send(json.dumps({"ok": verdict.text, "way_back": self._door.new_way_back()}))
                for message in connection:
                    self._on_message(connection, message)
            finally:
                self._stand_up(connection)
        except (ConnectionClosed, TimeoutError):
            return

    def _sit_down(self, connection: Any, *, instead: bool) -> bool:
        """Take the operator's seat; a page that comes back takes it from its own lost connection."""
        with self._seat_lock:
            before = self._operator
            if before is not None and not instead:
                return False
            self._operator = connection
        if before is not None:
            before.close(reason="came back")
        return True

    def _stand_up(self, connection: Any) -> None:
        with self._seat_lock:
            if self._operator is connection:
                self._operator = None

    def _let_in(self, connection: Any, door: Door) -> tuple[Verdict, bool]:
        """Ask for a key; whether it was one of a page that comes back, too. Three wrong ones end the connection."""
        verdict, back = Verdict(False), False
        host, deadline_s = connection.remote_address[0], steady_s() + GUEST_S
        for _ in range(MOST_TRIES):
            connection.send(json.dumps({"need": "pin"}))
            given = _as_dict(connection.recv(timeout=max(0.0, deadline_s - steady_s())))
            back = isinstance(given.get("way_back"), str)
            key = str(given.get("way_back" if back else "pin", ""))
            verdict = (door.come_back if back else door.try_key)(key, host)
            if verdict.admitted:
                break
            self.refused += 1
            connection.send(json.dumps({"error": verdict.text, "wait_s": verdict.wait_s}))
        return verdict, back

    def _on_message(self, connection: Any, message: str | bytes) -> None:
        if connection is not self._operator:
            return
        value = _as_dict(message)
        button = value.get("event", 0)
        try:
            pose = None if value.get("p") is None else hand_pose(value["p"], value.get("q"))
            gripper = min(1.0, max(0.0, _number(value.get("gripper", 1.0))))
            if type(button) is not int:
                raise ValueError("expected a whole number as event")
            clutch = value.get("clutch") is True and pose is not None
            self._hand.put(clutch=clutch, pose=pose, gripper=gripper, button=button)
        except ValueError as error:
            self.refused += 1
            if button == Button.STOP:  # counts, whatever stands beside it
                self._hand.put(clutch=False, button=Button.STOP)
            connection.send(json.dumps({"error": f"not understood: {error}"}))


def _number(value: Any) -> float:
    """A finite number of JSON's, which has whole ones of any size. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ValueError("expected finite numbers")
    return float(value)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _as_dict(message: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _quiet() -> logging.Logger:
    """The library's own log tells of every stray browser; only its errors count here."""
    logger = logging.getLogger("vital_teleop.webxr")
    logger.setLevel(logging.CRITICAL)
    return logger
