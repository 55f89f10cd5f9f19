"""One gripper goal at a time, always the newest wish."""

from dataclasses import dataclass

SAME_RAD = 0.01


@dataclass
class GripperRelay:
    """The vendor's gripper action takes about a second and minds no goal meanwhile: wishes wait, the last one counts.

    All positions are drive_joint's, rad: 0 open, 0.85 closed.
    """

    wanted_rad: float | None = None
    sent_rad: float | None = None
    busy: bool = False

    def wish(self, position_rad: float) -> None:
        """Where the gripper is to be."""
        self.wanted_rad = position_rad

    def next_goal(self) -> float | None:
        """The goal to send now; None while one is under way or nothing has changed."""
        if self.busy or self.wanted_rad is None:
            return None
        if self.sent_rad is not None and abs(self.wanted_rad - self.sent_rad) < SAME_RAD:
            return None
        self.sent_rad, self.busy = self.wanted_rad, True
        return self.sent_rad

    def done(self, reached: bool) -> None:
        """The goal under way has ended. One that failed is sent again, when it is wished again."""
        self.busy = False
        if not reached:
            self.sent_rad, self.wanted_rad = None, None if self.wanted_rad == self.sent_rad else self.wanted_rad
