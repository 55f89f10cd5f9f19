"""Fixed frames from `/tf_static`, and the way from one to another."""

from collections import deque

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose


class FixedFrames:
    """Poses of frames in frames; any two that are connected, in either direction, can be asked for."""

    def __init__(self) -> None:
        self._neighbours: dict[str, dict[str, Pose]] = {}

    def __len__(self) -> int:
        return len(self._neighbours)

    def add(self, parent: str, child: str, t_parent_child: Pose) -> None:
        """Take in one transform; a newer one between the same frames takes its place."""
        self._neighbours.setdefault(parent, {})[child] = t_parent_child
        self._neighbours.setdefault(child, {})[parent] = pose_of.inverse(t_parent_child)

    def pose(self, target: str, source: str) -> Pose:
        """Pose of ``source`` in ``target`` over the fewest transforms. Raises VitalError(NO_CALIBRATION)."""
        found: dict[str, Pose] = {target: pose_of.from_vector((0, 0, 0), (0, 0, 0))}
        waiting = deque([target])
        while waiting and source not in found:
            frame = waiting.popleft()
            for neighbour, step in self._neighbours.get(frame, {}).items():
                if neighbour not in found:
                    found[neighbour] = found[frame] @ step
                    waiting.append(neighbour)
        if source not in found:
            known = ", ".join(sorted(self._neighbours)) or "none"
            raise VitalError(
                ErrorCode.NO_CALIBRATION,
                f"/tf_static does not say where '{source}' is in '{target}' (frames known: {known}): "
                "start what publishes the camera's calibration",
            )
        return found[source]
