"""The one jump of the joints that is followed: a new scene of the simulator, announced by the simulator itself."""

import numpy as np

from vital_core.arm.trajectory import Array

CONFIRM_WITHIN_S = 1.0
MATCH_RAD = 0.01


class SceneResets:
    """Announcements waiting for joint states that match them. counted: False on anything but the simulator.

    Times are steady time, s.
    """

    def __init__(self, *, counted: bool) -> None:
        self._counted = counted
        self.followed = self.ignored = 0
        self._announced: Array | None = None
        self._until_s = -np.inf

    @property
    def counts(self) -> dict[str, int]:
        """What has been counted, by a name for people."""
        return {"scene resets followed": self.followed, "scene resets ignored": self.ignored}

    def announce(self, joints_rad: Array | None, now_s: float, *, welcome: bool) -> None:
        """The simulator says that the arm is at (7,) joints from now on; one that is not welcome is only counted."""
        usable = joints_rad is not None and joints_rad.shape == (7,) and bool(np.isfinite(joints_rad).all())
        if not (self._counted and welcome and usable):
            self.ignored += 1
            return
        self._announced, self._until_s = joints_rad, now_s + CONFIRM_WITHIN_S

    def expected(self, now_s: float) -> bool:
        """Whether an announced jump may still come."""
        return self._announced is not None and now_s <= self._until_s

    def confirmed_by(self, measured_rad: Array, now_s: float) -> Array | None:
        """The announced joints (7,) once they are measured, which uses the announcement up; else None."""
        if not self.expected(now_s):
            self._announced = None
            return None
        announced = self._announced
        if announced is None or np.abs(measured_rad - announced).max() > MATCH_RAD:
            return None
        self._announced = None
        self.followed += 1
        return announced
