"""Which keys open: a one-time token, the key that an admitted page got for coming back, and a PIN where there is one.

The first two cannot be guessed and are judged whenever they come, so that an attack on the PIN keeps nobody out who
has one of them. Every comparison takes the same time for every guess.
"""

import contextlib
import hmac
import math
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from vital_core.access.lockout import Lockout, address_of
from vital_core.access.one_time_token import new_token
from vital_core.clock import steady_s


@dataclass(frozen=True)
class Verdict:
    """On one key. wait_s: before the next one from there is judged."""

    admitted: bool
    text: str = ""
    wait_s: float = 0.0


class Door:
    """Judges keys, from any thread. ``publish`` gets every one-time token, as the one before it is used up."""

    def __init__(self, pin: str, publish: Callable[[str], None], now: Callable[[], float] = steady_s) -> None:
        self._pin, self._publish = pin, publish
        self._lock, self._lockout = threading.Lock(), Lockout(now)
        self._token, self._way_back = new_token(), ""
        publish(self._token)

    def try_key(self, key: str, host: str) -> Verdict:
        """A PIN or the one-time token, from a peer at ``host``."""
        address = address_of(host)
        with self._lock:
            if _same(key, self._token):
                self._token = new_token()
                with contextlib.suppress(OSError):  # then there is none until the next start, and nobody else's harm
                    self._publish(self._token)
                return self._admit(address)
            if (wait_s := self._lockout.wait_s(address)) > 0.0:
                told = f"too many wrong keys: wait {math.ceil(wait_s)} s, or use the one-time token"
                return Verdict(False, told, wait_s)
            if self._pin and _same(key, self._pin):
                return self._admit(address)
            self._lockout.wrong(address)
            return Verdict(False, "that is not the PIN or token", self._lockout.wait_s(address))

    def come_back(self, way_back: str, host: str) -> Verdict:
        """The key that an admitted page got; only the newest counts."""
        with self._lock:
            if self._way_back and _same(way_back, self._way_back):
                return self._admit(address_of(host))
            return Verdict(False, "another page has come since, or another node: PIN or token, please")

    def new_way_back(self) -> str:
        """The key with which the page that has the seat may come back; the one before it counts no more."""
        with self._lock:
            self._way_back = secrets.token_urlsafe(32)
            return self._way_back

    def _admit(self, address: str) -> Verdict:
        self._lockout.right(address)
        return Verdict(True, "connected")


def _same(given: str, expected: str) -> bool:
    """Digests are compared, so that not even the length tells."""
    digests = (sha256(text.encode(errors="replace")).digest() for text in (given, expected))
    return hmac.compare_digest(*digests)
