"""What an admitted browser shows at each further request, in place of a PIN: a number that nobody guesses.

Only its digest is kept, for a working day, and only of the newest few.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from threading import Lock

from vital_core.clock import steady_s

LASTS_S = 12 * 3600.0
MOST_PASSES = 64


class Passes:
    """Gives passes out and knows them again; from any thread."""

    def __init__(self, now: Callable[[], float] = steady_s) -> None:
        self._now, self._lock = now, Lock()
        self._until_s: OrderedDict[bytes, float] = OrderedDict()

    def new(self) -> str:
        """A pass, in characters that fit into a cookie."""
        given = secrets.token_urlsafe(32)
        with self._lock:
            self._until_s[_digest(given)] = self._now() + LASTS_S
            if len(self._until_s) > MOST_PASSES:
                self._until_s.popitem(last=False)
        return given

    def good(self, shown: str) -> bool:
        """Whether this pass was given out here, not too long ago."""
        with self._lock:
            return self._until_s.get(_digest(shown), float("-inf")) > self._now()


def _digest(given: str) -> bytes:
    # Looked up by the digest, so that the time it takes tells nothing of the pass.
    return sha256(given.encode(errors="replace")).digest()
