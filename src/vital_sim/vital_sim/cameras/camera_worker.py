"""A camera with a thread of its own: physics and joint states go on while an image is rendered."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

import mujoco

CLOSE_S = 0.5
# Making an OpenGL context is not safe in two threads at once.
_making = threading.Lock()


class Camera(Protocol):
    """What a worker needs of a camera."""

    def render(self, data: mujoco.MjData) -> Any:
        """The image, or images, of the state."""

    def reset(self, seed: int) -> None:
        """A new episode."""

    def close(self) -> None:
        """Free the renderer."""


Kind = TypeVar("Kind", bound=Camera)


class CameraWorker(Generic[Kind]):
    """Renders what it is offered, one image at a time, and hands it to ``deliver(image, stamp)`` in its thread.

    An offer while an image is being rendered is turned down: a camera that is too slow drops frames.
    """

    def __init__(self, make: Callable[[mujoco.MjModel], Kind], deliver: Callable[[Any, Any], None]) -> None:
        self.camera: Kind | None = None
        self.delivered = 0
        self.failure: Exception | None = None
        self._make, self._deliver = make, deliver
        self._busy = threading.Event()
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def build(self, model: mujoco.MjModel) -> None:
        """Replace the camera by one for ``model``; returns when its first image has been taken (they take long)."""
        self._ask(lambda: self._replace(model)).result()

    def begin(self, model: mujoco.MjModel) -> None:
        """As `build`, without waiting for it: offers are turned down until the camera is there."""
        self._busy.set()

        def work() -> None:
            try:
                self._replace(model)
            finally:
                self._busy.clear()

        self._ask(work)

    def _replace(self, model: mujoco.MjModel) -> None:
        with _making:
            if self.camera is not None:
                self.camera.close()
            self.camera = self._make(model)
            self._model, self._state = model, mujoco.MjData(model)
            mujoco.mj_forward(model, self._state)
            self.camera.render(self._state)

    def reset(self, seed: int) -> None:
        """A new episode. Every image taken before has been delivered when it returns."""

        def work() -> None:
            if self.camera is not None:
                self.camera.reset(seed)

        self._ask(work).result()

    def offer(self, data: mujoco.MjData, stamp: Any) -> bool:
        """Take an image of this moment, without waiting for it; False when the last one is not done yet."""
        if self._busy.is_set():
            return False
        mujoco.mj_copyData(self._state, self._model, data)
        self._busy.set()
        self._ask(lambda: self._shoot(stamp))
        return True

    def _shoot(self, stamp: Any) -> None:
        assert self.camera is not None
        try:
            self._deliver(self.camera.render(self._state), stamp)
            self.delivered += 1
        finally:
            self._busy.clear()

    def close(self) -> None:
        """Free the camera and end the thread."""
        if self.camera is not None:
            self._ask(self.camera.close)
        self._work.put(None)
        self._thread.join(CLOSE_S)

    def _ask(self, work: Callable[[], Any]) -> Future:
        future: Future = Future()
        self._work.put((work, future))
        return future

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, future = item
            try:
                future.set_result(work())
            except Exception as error:  # for whoever waits, and for the session, which looks at `failure`
                future.set_exception(error)
                self.failure = error
