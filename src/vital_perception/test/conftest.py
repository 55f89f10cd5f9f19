"""A tactile sensor at the far end of a pseudo-terminal, and a ROS domain of the tests' own."""

import contextlib
import os
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from ros_domain import own_domain

from vital_perception.anyskin.anyskin_protocol import encode


def reading(rng: np.random.Generator, offset_ut: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """temperature_c (5,) and field_ut (5, 3) of a pad at rest, with the chip's noise; float32 as they are sent."""
    rest = 3000.0 * np.sin(np.arange(15)).reshape(5, 3) + offset_ut
    field = rest + 1.5 * rng.standard_normal((5, 3))
    return (31.0 + 0.1 * rng.standard_normal(5)).astype(np.float32), field.astype(np.float32)


class SensorOnPty:
    """Speaks the protocol on a pseudo-terminal that a link, ``path``, leads to; can be unplugged and plugged in.

    make: the bytes of one frame. sent counts them.
    """

    def __init__(self, path: Path, rate_hz: float = 120.0) -> None:
        self.path, self.period_s = path, 1.0 / rate_hz
        rng = np.random.default_rng(0)
        self.make: Callable[[], bytes] = lambda: encode(*reading(rng))
        self.talking = True
        self.sent = 0
        self._master: int | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def plug_in(self) -> None:
        """The device appears."""
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self.path.symlink_to(os.ttyname(slave))
        with self._lock:
            self._master, self._slave = master, slave

    def unplug(self) -> None:
        """It goes, in the middle of whatever is going on."""
        self.path.unlink()
        with self._lock:
            assert self._master is not None
            os.close(self._master)
            os.close(self._slave)
            self._master = None

    def _run(self) -> None:
        while not self._stopping.wait(self.period_s):
            with self._lock:
                if self._master is not None and self.talking:
                    # A full buffer means that nobody reads.
                    with contextlib.suppress(OSError):
                        os.write(self._master, self.make())
                        self.sent += 1

    def close(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()
        if self._master is not None:
            self.unplug()


@pytest.fixture(name="reading")
def _reading() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """`reading` for tests."""
    return reading


@pytest.fixture
def unplugged(tmp_path: Path) -> Iterator[SensorOnPty]:
    """A sensor that is not plugged in yet."""
    device = SensorOnPty(tmp_path / "ttyACM0")
    yield device
    device.close()


@pytest.fixture
def sensor(unplugged: SensorOnPty) -> SensorOnPty:
    """A sensor, plugged in."""
    unplugged.plug_in()
    return unplugged


@pytest.fixture(scope="session")
def domain() -> int:
    """A ROS domain of these tests' own."""
    return own_domain()
