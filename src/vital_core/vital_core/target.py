"""Where a target is and how it is turned, as far as anybody has seen it."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose

SYMMETRIES = (1, 2, 4)
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class TargetYaw:
    """Turn of a target about its normal against how it lay in the demonstrations, rad, with its standard deviation.

    symmetry: in how many yaws of a full turn it looks, or counts as, the same; this yaw is one of them.
    """

    yaw_rad: float
    std_rad: float
    symmetry: int = 1

    def __post_init__(self) -> None:
        if self.symmetry not in SYMMETRIES or not np.isfinite(self.yaw_rad) or not self.std_rad >= 0.0:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"the yaw is {self.yaw_rad} +- {self.std_rad} rad with symmetry {self.symmetry}, expected finite "
                f"numbers and a symmetry of {', '.join(map(str, SYMMETRIES))}",
            )

    def nearest(self, to_rad: float) -> float:
        """Of the yaws that look the same, the one nearest to another, rad; within half a turn of 0."""
        period = 2 * np.pi / self.symmetry
        turns = np.round((to_rad - self.yaw_rad) / period)
        return _wrapped(self.yaw_rad + turns * period)


@dataclass(frozen=True)
class Target:
    """A target in `link_base`.

    point_m: (3,). covariance_m2: (3, 3) of it; zeros: not known. yaw: None where nothing says how it is turned.
    normal: (3,) unit vector out of its surface. normal_std_rad: of that; NaN: not known.
    """

    point_m: NDArray[np.float64]
    covariance_m2: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, 3)))
    yaw: TargetYaw | None = None
    normal: NDArray[np.float64] = field(default_factory=UP.copy)
    normal_std_rad: float = float("nan")

    def yaw_for(self, hand_yaw_rad: float) -> float:
        """How a hand that is turned by ``hand_yaw_rad`` is to be turned over it: the nearest that fits; as it is where
        nothing says how the target is turned."""
        return _wrapped(hand_yaw_rad) if self.yaw is None else self.yaw.nearest(hand_yaw_rad)

    def frame(self, yaw_rad: float) -> Pose:
        """The target's frame in `link_base`, z along `approach`, turned about it: in it the start region lies."""
        return pose_of.on_surface(self.point_m, self.approach, yaw_rad)

    @property
    def approach(self) -> NDArray[np.float64]:
        """(3,) the axis against which a hand comes: the normal, where a known yaw says that the target itself was
        seen; else straight up, as the plane around a pixel is that of its rims and slots too."""
        return UP if self.yaw is None else self.normal

    @property
    def tilt_rad(self) -> float:
        """Angle between `approach` and the vertical."""
        return float(np.arccos(np.clip(self.approach[2], -1.0, 1.0)))

    def turned(self, yaw_rad: float) -> "Target":
        """The same target, taken to be turned by one yaw alone."""
        std_rad = float("inf") if self.yaw is None else self.yaw.std_rad
        return replace(self, yaw=TargetYaw(yaw_rad, std_rad, 1))


def hand_yaw_rad(t_base_tcp: NDArray[np.float64]) -> float:
    """Yaw of a tool about the normal of what it points at, as in `Target.frame`."""
    untilted = pose_of.on_surface(np.zeros(3), -t_base_tcp[:3, 2])
    along = untilted[:3, :3].T @ t_base_tcp[:3, 0]
    return float(np.arctan2(along[1], along[0]))


def _wrapped(angle_rad: float) -> float:
    return float((angle_rad + np.pi) % (2 * np.pi) - np.pi)
