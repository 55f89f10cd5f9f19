"""Fixed frames from `/tf_static`, and the way from one to another."""

from collections import deque
from collections.abc import Sequence

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_ros.message_check import refusal

MOST_FRAMES = 1000


class FixedFrames:
    """Poses of frames in frames; any two that are connected, in either direction, can be asked for."""

    def __init__(self) -> None:
        self._neighbours: dict[str, dict[str, Pose]] = {}

    def __len__(self) -> int:
        return len(self._neighbours)

    def take(self, transforms: Sequence[tuple[str, str, Pose]]) -> None:
        """`add` each. Raises VitalError(BAD_MESSAGE) when there would be too many frames to search, and adds none."""
        frames = set(self._neighbours).union(*(names[:2] for names in transforms))
        if len(frames) > MOST_FRAMES:
            raise refusal(f"/tf_static names {len(frames)} frames, expected at most {MOST_FRAMES}")
        for transform in transforms:
            self.add(*transform)

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
