"""Who steers: one page at a time. Everybody may stop the arm, whoever steers."""

from dataclasses import dataclass
from threading import Lock

LONGEST_NAME = 40


@dataclass(frozen=True)
class Answer:
    """Whether a page may steer, and the sentence for it."""

    may: bool
    text: str


@dataclass(frozen=True)
class Holder:
    """Who has the seat, since when by steady time."""

    page: int
    name: str
    since_s: float


class Seat:
    """The one seat; safe from any thread. Pages are known by the number of their connection."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._holder: Holder | None = None

    @property
    def holder(self) -> Holder | None:
        """Who steers."""
        return self._holder

    def take(self, page: int, name: str, now_s: float) -> Answer:
        """A person of this name sits down at a page. A name is needed: it stands beside what is done."""
        name = " ".join(name.split())[:LONGEST_NAME]
        if not name:
            return Answer(False, "say your name first: it is kept with what you do")
        with self._lock:
            if self._holder is not None and self._holder.page != page:
                return Answer(False, self._taken(self._holder, now_s))
            self._holder = Holder(page, name, now_s)
        return Answer(True, f"{name} steers from this page")

    def leave(self, page: int) -> None:
        """The page gives the seat up, or is gone."""
        with self._lock:
            if self._holder is not None and self._holder.page == page:
                self._holder = None

    def ask(self, page: int, now_s: float) -> Answer:
        """Whether a page may steer now."""
        holder = self._holder
        if holder is None:
            return Answer(False, "nobody steers: say your name, then press the button")
        if holder.page != page:
            return Answer(False, self._taken(holder, now_s))
        return Answer(True, f"{holder.name} steers from this page")

    @staticmethod
    def _taken(holder: Holder, now_s: float) -> str:
        return (
            f"{holder.name} steers from another page, for {now_s - holder.since_s:.0f} s: "
            "have it given up there, or its page closed"
        )
