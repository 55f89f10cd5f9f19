"""Where a recording stands: played, paused, or gone to a place in it."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from threading import Lock

from vital_core.clock import steady_s
from vital_monitor.recorded.recording import Recording, Said

# At most so long at once, so that the page is never held up; what is due then comes with the next turn.
LONGEST_TURN_S = 0.02
LARGE_BYTES, MOST_AT_ONCE = 10_000, 20


class Player:
    """Gives out what is due; it begins paused. `play`, `pause` and `seek` from any thread, `due` from one."""

    def __init__(self, recording: Recording, topics: Collection[str], now: Callable[[], float] = steady_s) -> None:
        self.recording, self._topics, self._now = recording, frozenset(topics), now
        self._lock = Lock()
        self._position_s, self._since_s, self._playing, self._begin_anew = 0.0, now(), False, True
        self._messages: Iterator[Said] = iter(())
        self._next: Said | None = None

    @property
    def position_s(self) -> float:
        """Since the beginning."""
        moved_s = self._now() - self._since_s if self._playing else 0.0
        return min(self._position_s + moved_s, self.recording.duration_s)

    @property
    def playing(self) -> bool:
        """Whether it goes on by itself; at the end it does not."""
        return self._playing and self.position_s < self.recording.duration_s

    def pause(self) -> None:
        """Stay here."""
        with self._lock:
            self._stand_at(self.position_s, playing=False)

    def play(self) -> None:
        """Go on; from the beginning when it is over."""
        with self._lock:
            over = self.position_s >= self.recording.duration_s
            self._begin_anew |= over
            self._stand_at(0.0 if over else self.position_s, playing=True)

    def seek(self, at_s: float) -> None:
        """Go to a place."""
        with self._lock:
            self._begin_anew |= at_s < self.position_s
            self._stand_at(min(max(at_s, 0.0), self.recording.duration_s), playing=self._playing)

    def _stand_at(self, at_s: float, *, playing: bool) -> None:
        self._position_s, self._since_s, self._playing = at_s, self._now(), playing

    def due(self) -> list[Said]:
        """What was said since the last time, none after the position: of a topic the newest, of small ones a few.

        Raises VitalError(BAD_RECORDING) where the file is broken; it is paused then.
        """
        with self._lock:
            begin_anew, self._begin_anew, position_s = self._begin_anew, False, self.position_s
        if begin_anew:
            self._messages, self._next = self.recording.messages(), None
        newest: dict[str, deque[Said]] = {}
        until_s = steady_s() + LONGEST_TURN_S
        try:
            while (said := self._peek()) is not None and said.at_s <= position_s and steady_s() < until_s:
                self._next = None
                if said.topic in self._topics:
                    most = MOST_AT_ONCE if len(said.data) < LARGE_BYTES else 1
                    newest.setdefault(said.topic, deque(maxlen=most)).append(said)
        except Exception:
            self._messages = iter(())
            self.pause()
            raise
        return [said for topic in newest.values() for said in topic]

    def _peek(self) -> Said | None:
        if self._next is None:
            self._next = next(self._messages, None)
        return self._next
