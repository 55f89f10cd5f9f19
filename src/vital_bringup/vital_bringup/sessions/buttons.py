"""What an operator presses, in the order in which it was pressed."""

import queue
from collections.abc import Callable
from enum import Enum

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError

LOOK_S = 0.1


class Press(Enum):
    """What the operator, or the system in the operator's place, says."""

    START = "start"
    SUCCESS = "success"
    FAILURE = "failure"
    REDO = "redo"
    FINISH = "finish"
    STOPPED = "stopped"  # the gate latched, or the device was lost
    TIME_UP = "time up"


LABELS = {Press.SUCCESS: True, Press.FAILURE: False}


class Buttons:
    """Presses that nobody has taken yet; safe from any thread."""

    def __init__(self) -> None:
        self._presses: queue.Queue[Press] = queue.Queue()

    def put(self, press: Press) -> None:
        """It was pressed."""
        self._presses.put(press)

    def wait(
        self,
        timeout_s: float | None,
        *,
        stopped: Callable[[], bool],
        interrupted: Callable[[], bool] = lambda: False,
    ) -> Press:
        """The next press; TIME_UP after ``timeout_s``, STOPPED once ``interrupted`` says so and nothing was pressed.

        Raises VitalError(CANCELLED) once ``stopped`` says so.
        """
        deadline_s = None if timeout_s is None else steady_s() + timeout_s
        while not stopped():
            try:
                return self._presses.get(timeout=LOOK_S, block=timeout_s != 0.0)
            except queue.Empty:
                if interrupted():
                    return Press.STOPPED
                if deadline_s is not None and steady_s() >= deadline_s:
                    return Press.TIME_UP
        raise VitalError(ErrorCode.CANCELLED, "stopped")

    def wait_for_start(self, **options: Callable[[], bool]) -> None:
        """Until START. Raises VitalError(CANCELLED) on FINISH, and as `wait` does, which takes the ``options``."""
        while (press := self.wait(None, **options)) is not Press.START:
            if press is Press.FINISH:
                raise VitalError(ErrorCode.CANCELLED, "finished by the operator")

    def take_labels(self) -> list[bool]:
        """Whether SUCCESS (true) or FAILURE was pressed, in order; other presses stay."""
        pressed = self._take_all()
        for press in pressed:
            if press not in LABELS:
                self.put(press)
        return [LABELS[press] for press in pressed if press in LABELS]

    def forget(self) -> None:
        """What was pressed so far does not count, but for FINISH."""
        if Press.FINISH in self._take_all():
            self.put(Press.FINISH)

    def _take_all(self) -> list[Press]:
        pressed = []
        while not self._presses.empty():
            pressed.append(self._presses.get_nowait())
        return pressed
