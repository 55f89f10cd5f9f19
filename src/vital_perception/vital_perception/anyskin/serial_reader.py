"""Reads a serial device in a thread that outlives every unplugging: a device that has gone is a state, not an error."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import serial
from serial.tools import list_ports

from vital_core.clock import steady_s
from vital_perception.device_thread import DeviceThread

BAUD = 115200
BITS_PER_BYTE = 10  # 8 data bits, start, stop
# The board of the AnySkin: vendor and product on USB.
USB_IDS = ((0x239A, 0x80CB),)
AUTO = "auto"
READ_TIMEOUT_S = 0.1
MOST_BYTES = 4096


class Link(Enum):
    """What the connection is doing."""

    SEARCHING = "no device"
    SILENT = "connected, but nothing comes"
    GARBAGE = "bytes come, but no reading: another device, another baud rate or a broken cable"
    READING = "reading"


class Port(Protocol):
    """An open port. `read` waits up to its own timeout and raises OSError when the device has gone."""

    in_waiting: int

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""

    def close(self) -> None:
        """Give the device back."""


@dataclass(frozen=True)
class LinkTimes:
    """retry_s: between two looks for a device. silent_s: without a reading before the connection counts as silent or
    as garbage. reopen_s: of silence before the port is opened anew."""

    retry_s: float = 0.5
    silent_s: float = 0.5
    reopen_s: float = 3.0


def find_device(port: str) -> str:
    """The device to open for ``port``: itself, or the first sensor on USB for "auto". Raises OSError if none is."""
    if port != AUTO:
        return port
    found = [p.device for p in list_ports.comports() if (p.vid, p.pid) in USB_IDS]
    if not found:
        ids = ", ".join(f"{v:04x}:{p:04x}" for v, p in USB_IDS)
        raise OSError(f"no tactile sensor on USB (looked for {ids})")
    return found[0]


def open_serial(port: str, baud: int = BAUD) -> Port:
    """Open it for ourselves alone. Raises OSError (pyserial's errors are such)."""
    device = serial.Serial(find_device(port), baud, timeout=READ_TIMEOUT_S, exclusive=True)
    device.reset_input_buffer()
    return device


class SerialReader(DeviceThread):
    """Calls ``on_data(data, arrived_s)`` with what comes, and says whether the device is there.

    ``on_data`` returns how many readings were in it; ``on_lost`` is called when a connection has ended. Both run in
    the reader's thread.
    """

    def __init__(
        self,
        open_port: Callable[[], Port],
        on_data: Callable[[bytes, float], int],
        on_lost: Callable[[], None] = lambda: None,
        times: LinkTimes | None = None,
    ) -> None:
        super().__init__("serial", self._read_for_ever)
        self.link = Link.SEARCHING
        self.problem = ""
        self.connections = self.losses = self.bytes_received = 0
        self._open_port, self._on_data, self._on_lost = open_port, on_data, on_lost
        self._times = times or LinkTimes()

    def _read_for_ever(self) -> None:
        while not self.stopping.is_set():
            try:
                port = self._open_port()
            except (OSError, ValueError) as error:
                self.problem = str(error)
                self.stopping.wait(self._times.retry_s)
                continue
            self.connections += 1
            try:
                self._read(port)
            except OSError as error:
                self.problem = str(error)
                self.losses += 1
            finally:
                self._lose(port)

    def _lose(self, port: Port) -> None:
        self.link = Link.SEARCHING
        try:
            port.close()
        except OSError as error:
            self.problem = str(error)
        self._on_lost()
        # A device that fails as soon as it is opened must not keep a core busy.
        self.stopping.wait(self._times.retry_s)

    def _read(self, port: Port) -> None:
        reading_s = data_s = steady_s()
        while not self.stopping.is_set():
            data = port.read(min(max(1, port.in_waiting), MOST_BYTES))
            now_s = steady_s()
            if data:
                data_s = now_s
                self.bytes_received += len(data)
                if self._on_data(data, now_s):
                    reading_s, self.link, self.problem = now_s, Link.READING, ""
                    continue
            if now_s - reading_s > self._times.silent_s:
                self.link = Link.GARBAGE if now_s - data_s < self._times.silent_s else Link.SILENT
            if now_s - reading_s > self._times.reopen_s:
                self.problem = f"opened anew after {self._times.reopen_s:.0f} s without a reading"
                return
