"""From a hand's motion to a target for the TCP: clutch, scale, frame, and a leash that ends wind-up.

The target starts where the arm is when the clutch closes, so that closing it moves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose

Frame = Literal["base", "tcp"]
FRAMES = get_args(Frame)


@dataclass(frozen=True)
class FollowConfig:
    """How the target follows the hand; what the hand moves beyond the leash is let go."""

    frame: Annotated[Frame, Meta(description="in which a motion counts: link_base or the TCP's")] = "base"
    scale: Annotated[float, Meta(ge=0.01, le=10.0, description="of the hand's motion")] = 1.0
    rotation_scale: Annotated[float, Meta(ge=0.01, le=10.0, description="of the hand's rotation")] = 1.0
    leash_m: Annotated[float, Meta(ge=0.001, le=0.2, description="most that the target is ahead of the arm, m")] = 0.02
    leash_rad: Annotated[
        float, Meta(ge=0.01, le=1.0, description="most that the target is turned ahead of the arm, rad")
    ] = 0.12

    def __post_init__(self) -> None:
        if self.frame not in FRAMES:
            raise ValueError(f"frame is '{self.frame}', expected one of {', '.join(FRAMES)}")
        for name in ("scale", "rotation_scale", "leash_m", "leash_rad"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")


@dataclass(frozen=True)
class Box:
    """Where the TCP may be sent, m in `link_base`."""

    lower_m: Sequence[float]
    upper_m: Sequence[float]

    def clamped(self, pose: Pose, margin_m: float = 0.001) -> tuple[Pose, bool]:
        """The pose with its position brought into the box, and whether that changed it."""
        inside = pose.copy()
        lower, upper = np.array(self.lower_m) + margin_m, np.array(self.upper_m) - margin_m
        inside[:3, 3] = np.clip(pose[:3, 3], lower, upper)
        return inside, bool((inside[:3, 3] != pose[:3, 3]).any())


class Follower:
    """The target of one closed clutch. Poses in `link_base`; `t_base_target` is where the TCP is to go."""

    def __init__(self, config: FollowConfig, t_base_tcp: Pose) -> None:
        self._config = config
        self.t_base_target = t_base_tcp.copy()
        self._last_hand: Pose | None = None

    def follow_pose(self, hand: Pose) -> None:
        """Move the target by the hand's motion since the last sample; the first one moves nothing."""
        last, self._last_hand = self._last_hand, hand.copy()
        if last is None:
            return
        c = self._config
        if c.frame == "base":
            shift = hand[:3, 3] - last[:3, 3]
            turn = pose_of.to_vector(_rotation(hand[:3, :3] @ last[:3, :3].T))[3:]
        else:
            motion = pose_of.to_vector(pose_of.inverse(last) @ hand)
            shift, turn = motion[:3], motion[3:]
        self._move(c.scale * shift, c.rotation_scale * turn)

    def follow_twist(self, twist: NDArray[np.float64], seconds: float) -> None:
        """Move the target with a velocity (6,), m/s and rad/s, for ``seconds``."""
        self._last_hand = None
        c = self._config
        self._move(c.scale * twist[:3] * seconds, c.rotation_scale * twist[3:] * seconds)

    def _move(self, shift: NDArray[np.float64], turn: NDArray[np.float64]) -> None:
        target = self.t_base_target
        if self._config.frame == "base":
            moved = target.copy()
            moved[:3, 3] += shift
            moved[:3, :3] = pose_of.from_vector(np.zeros(3), turn)[:3, :3] @ target[:3, :3]
            self.t_base_target = moved
        else:
            self.t_base_target = target @ pose_of.from_vector(shift, turn)

    def hold_to(self, t_base_tcp: Pose, box: Box) -> bool:
        """Bring the target within the leash of the arm and into the box; whether it had to be."""
        c = self._config
        delta = pose_of.to_vector(pose_of.inverse(t_base_tcp) @ self.t_base_target)
        shift, turn = _shortened(delta[:3], c.leash_m), _shortened(delta[3:], c.leash_rad)
        leashed = bool((shift != delta[:3]).any() or (turn != delta[3:]).any())
        target = t_base_tcp @ pose_of.from_vector(shift, turn) if leashed else self.t_base_target
        self.t_base_target, boxed = box.clamped(target)
        return leashed or boxed


def _rotation(matrix: NDArray[np.float64]) -> Pose:
    pose = np.eye(4)
    pose[:3, :3] = matrix
    return pose


def _shortened(vector: NDArray[np.float64], longest: float) -> NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    return vector if length <= longest else vector * (longest / length)
