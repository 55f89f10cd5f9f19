"""The policy node's way to the replay: an episode is opened, its steps follow in order, and closed when all are safe.

Steps are sent from a thread of their own: a disk that is slow for a moment does not delay a tick.
"""

import json
import queue
import threading
from array import array
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from vital_core.errors import VitalError
from vital_interfaces.srv import AppendStep, CloseEpisode, OpenEpisode
from vital_rl.replay.step import ReplayStep, to_record
from vital_ros.calls import call, checked

ANSWER_S = 5.0


class OpenReplay:
    """An episode that is open in the replay. failed: called once with the error when a step was not taken."""

    def __init__(self, clients: "ReplayClient", episode: int, failed: Callable[[VitalError], None]) -> None:
        self.episode = episode
        self._clients, self._failed = clients, failed
        self._steps: queue.SimpleQueue[ReplayStep | None] = queue.SimpleQueue()
        self._error: VitalError | None = None
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def append(self, step: ReplayStep) -> None:
        """Returns at once."""
        self._steps.put(step)

    def _send(self) -> None:
        index = 0
        while (step := self._steps.get()) is not None:
            if self._error is None:
                try:
                    self._clients.append(self.episode, index, step)
                except VitalError as error:
                    self._error = error
                    self._failed(error)
                index += 1

    def close(self, reason: str, *, terminated: bool) -> None:
        """Wait until every step is on disk, then close. Raises VitalError when one is not."""
        self._steps.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error
        self._clients.close(self.episode, reason, terminated)


class ReplayClient:
    """Calls of `/vital/replay/*`; blocking, for threads beside the executor's."""

    def __init__(self, node: Node) -> None:
        self._open = node.create_client(OpenEpisode, "/vital/replay/open")
        self._append = node.create_client(AppendStep, "/vital/replay/append")
        self._close = node.create_client(CloseEpisode, "/vital/replay/close")

    def open(
        self, task: str, seed: int, about: dict[str, Any], failed: Callable[[VitalError], None]
    ) -> tuple[OpenReplay, int]:
        """An open episode, and the environment steps before it. Raises VitalError."""
        answer = checked(call(self._open, OpenEpisode.Request(task=task, seed=seed, about=json.dumps(about)), ANSWER_S))
        return OpenReplay(self, answer.episode, failed), int(answer.steps_before)

    def append(self, episode: int, index: int, step: ReplayStep) -> None:
        """One step, on disk when this returns. Raises VitalError."""
        record = array("B", to_record(episode, index, step))
        checked(call(self._append, AppendStep.Request(record=record), ANSWER_S))

    def close(self, episode: int, reason: str, terminated: bool) -> None:
        """No step follows. Raises VitalError."""
        checked(
            call(self._close, CloseEpisode.Request(episode=episode, reason=reason, terminated=terminated), ANSWER_S)
        )
