"""The thread that reads a device for as long as the node lives."""

import threading
from collections.abc import Callable


class DeviceThread:
    """Runs ``read``, which ends when `stopping` is set; what it raises is kept in `failure` for the node to report."""

    def __init__(self, name: str, read: Callable[[], None]) -> None:
        self.stopping = threading.Event()
        self.failure: Exception | None = None
        self._read_device = read
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, timeout_s: float = 2.0) -> bool:
        """End it; whether it ended (a driver may hold it in the kernel: the thread is a daemon)."""
        self.stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._read_device()
        except Exception as error:  # the node reports it and ends
            self.failure = error
