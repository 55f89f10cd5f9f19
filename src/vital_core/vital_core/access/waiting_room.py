"""Everybody who has connected and was not let in yet. It is small, and a newcomer always finds a place: whoever waits
longest, from the address with most guests, goes."""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator

from vital_core.access.lockout import address_of

MOST_GUESTS = 16
MOST_FROM_ONE_ADDRESS = 6


class WaitingRoom:
    """Keeps the sockets of guests; `leave` once one is let in. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guests: dict[socket.socket, str] = {}  # in the order in which they came

    @contextlib.contextmanager
    def guest(self, connection: socket.socket, host: str) -> Iterator[None]:
        """While a connection lasts."""
        address = address_of(host)
        with self._lock:
            self._make_room(address)
            self._guests[connection] = address
        try:
            yield
        finally:
            self.leave(connection)

    def leave(self, connection: socket.socket) -> None:
        """It is no guest any more."""
        with self._lock:
            self._guests.pop(connection, None)

    def empty(self) -> None:
        """Send everybody away."""
        with self._lock:
            while self._guests:
                self._send_away(next(iter(self._guests.values())))

    def __len__(self) -> int:
        return len(self._guests)

    def _make_room(self, address: str) -> None:
        counts = Counter(self._guests.values())
        if counts[address] >= MOST_FROM_ONE_ADDRESS:
            self._send_away(address)
        elif len(self._guests) >= MOST_GUESTS:
            self._send_away(counts.most_common(1)[0][0])

    def _send_away(self, address: str) -> None:
        longest = next(guest for guest, of in self._guests.items() if of == address)
        del self._guests[longest]
        with contextlib.suppress(OSError):
            longest.shutdown(socket.SHUT_RDWR)
