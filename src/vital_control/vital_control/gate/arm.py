"""The arm as the gate knows it: where it is measured to be, where it has been sent, and whether the two agree."""

from collections.abc import Callable

import numpy as np

from vital_control.gate.limits import Limits
from vital_control.motion import pacing
from vital_control.motion.pacing import Piece
from vital_control.motion.tracking import relieving
from vital_core.arm.trajectory import Array, Trajectory
from vital_core.arm.xarm7 import MAX_JOINT_SPEED_RAD_S

APART_FOR_S = 0.1  # after which readings that are apart are no stray ones
APART_READINGS = 3
REFERENCE_TOLERANCE_RAD = 0.05
SETTLED_S = 0.2  # after a motion's end, until the controller has reached it too
MOVING_REFERENCE_TOLERANCE_RAD = 0.2  # the fastest joint covers that in 0.09 s
REFERENCE_AGE_S = 0.5
JUMP_RAD = 0.1  # beyond what the fastest joint covers between two readings


class Arm:
    """Measured joints and the motion in force. ``issue`` is called with every motion that takes force, ``may_take``
    tells whether a way of the arm's own passes the gate's check.

    The trajectory controller's reference, where it publishes one, is a third witness. Before the first motion the arm
    counts as sent to where it was first measured. Nothing here ever sends it to where it is measured, but for relief
    from a force, which is checked. Times are steady time, s.
    """

    def __init__(
        self, limits: Limits, issue: Callable[[Trajectory], None], may_take: Callable[[Trajectory], bool]
    ) -> None:
        self.limits = limits
        self.unusable_readings = self.stray_readings = 0
        self.measured: Array | None = None
        self._measured_s = -np.inf
        self._base: Array | None = None
        self._piece: Piece | None = None
        self._stopped = True
        self._apart_since_s: float | None = None
        self._apart_readings = 0
        self._jump_from_rad: float | None = None
        self.reference: Array | None = None
        self._reference_s = -np.inf
        self._other_reference_since_s: float | None = None
        self._issue, self._may_take = issue, may_take

    @property
    def counts(self) -> dict[str, int]:
        """What has been counted, by a name for people."""
        return {"unusable joint states": self.unusable_readings, "stray joint states": self.stray_readings}

    # What is measured.

    def observe(self, joints_rad: Array | None, now_s: float) -> None:
        """Take in measured joint positions (7,); None, when a joint was not in the reading, is only counted."""
        if joints_rad is None or joints_rad.shape != (7,) or not np.isfinite(joints_rad).all():
            self.unusable_readings += 1
            return
        before, before_s = self.measured, self._measured_s
        if self._base is None:
            self._base = joints_rad
        jumped = before is not None and self._jumped(joints_rad, before, now_s - before_s)
        if jumped and self._jump_from_rad is None:
            self._jump_from_rad = self.apart_rad(now_s)
        self.measured, self._measured_s = joints_rad, now_s
        if self._jump_from_rad is not None and self.apart_rad(now_s) <= self._jump_from_rad + JUMP_RAD / 2:
            self._jump_from_rad = None
        self._note_whether_apart(now_s)

    @staticmethod
    def _jumped(joints_rad: Array, before_rad: Array, passed_s: float) -> bool:
        return bool(np.abs(joints_rad - before_rad).max() > JUMP_RAD + MAX_JOINT_SPEED_RAD_S * passed_s)

    def _note_whether_apart(self, now_s: float) -> None:
        if not self.apart(now_s):
            self._apart_since_s, self._apart_readings = None, 0
            return
        self._apart_readings += 1
        self.stray_readings += 1
        if self._apart_since_s is None:
            self._apart_since_s = now_s

    def observe_reference(self, joints_rad: Array | None, now_s: float) -> None:
        """Take in where the trajectory controller holds the arm (7,); None counts as nothing heard."""
        if joints_rad is None or joints_rad.shape != (7,) or not np.isfinite(joints_rad).all():
            return
        self.reference, self._reference_s = joints_rad, now_s
        if self._base is None or self.moving(now_s) or self.reference_apart_rad(now_s) <= REFERENCE_TOLERANCE_RAD:
            self._other_reference_since_s = None
        elif self._other_reference_since_s is None:
            self._other_reference_since_s = now_s

    def align_with_controller(self, now_s: float) -> None:
        """At rest and without a path to go on with: what little the controller holds the arm elsewhere is no reason
        to make it step, the next motion begins there. Nothing is sent."""
        if self._base is None or not self.reference_fresh(now_s):
            return
        held = self._piece
        settled = held is None or now_s - held.start_s - held.motion.duration_s > SETTLED_S
        if settled and self.reference_apart_rad(now_s) <= REFERENCE_TOLERANCE_RAD:
            self._base, self._piece, self._stopped = self.reference, None, True

    def reference_fresh(self, now_s: float) -> bool:
        """Whether the controller has lately said where it holds the arm."""
        return now_s - self._reference_s <= REFERENCE_AGE_S

    def reference_apart_rad(self, now_s: float) -> float:
        """Largest distance of a joint's reference in the controller from where the gate has sent it."""
        assert self.reference is not None
        return float(np.abs(self.reference - self.commanded(now_s)[0]).max())

    def other_reference_for_s(self, now_s: float) -> float:
        """How long the controller has been holding the arm at rest elsewhere than the gate sent it."""
        return 0.0 if self._other_reference_since_s is None else now_s - self._other_reference_since_s

    def age_s(self, now_s: float) -> float:
        """Seconds since the last usable joint state; inf before the first."""
        return float(now_s - self._measured_s)

    def seen(self, now_s: float) -> bool:
        """Whether the measured joints are fresh."""
        return self.age_s(now_s) <= self.limits.max_joint_state_age_s

    def apart_rad(self, now_s: float) -> float:
        """Largest distance of a joint from where it has been sent."""
        assert self.measured is not None
        return float(np.abs(self.measured - self.commanded(now_s)[0]).max())

    def apart(self, now_s: float) -> bool:
        """Whether the last reading is where the arm cannot be: jumped there, or too far from where it was sent."""
        if self.measured is None:
            return False
        limits = self.limits
        tolerance = limits.following_tolerance_rad if self.moving(now_s) else limits.rest_tolerance_rad
        return self._jump_from_rad is not None or self.apart_rad(now_s) > tolerance

    def apart_for_s(self, now_s: float) -> float:
        """How long several readings on end have been apart; 0 for a stray one."""
        if self._apart_since_s is None or self._apart_readings < APART_READINGS:
            return 0.0
        return now_s - self._apart_since_s

    def apart_text(self, now_s: float) -> str:
        """Which joint is how far from where it was sent."""
        assert self.measured is not None
        sent = self.commanded(now_s)[0]
        joint = int(np.abs(self.measured - sent).argmax())
        return (
            f"joint{joint + 1} is measured at {self.measured[joint]:.3f} rad, it was sent to {sent[joint]:.3f}: "
            f"{abs(self.measured[joint] - sent[joint]):.3f} rad apart"
        )

    # Where it is sent.

    def commanded(self, now_s: float) -> tuple[Array, Array]:
        """Commanded positions and velocities, each (7,)."""
        if self._piece is not None:
            return self._piece.state(now_s)
        assert self._base is not None
        return self._base, np.zeros_like(self._base)

    def moving(self, now_s: float) -> bool:
        """Whether the motion in force has not come to rest yet."""
        return self._piece is not None and self._piece.moving(now_s)

    @property
    def path_s(self) -> float:
        """How long the path in force takes; 0 without one."""
        return 0.0 if self._piece is None else self._piece.path.duration_s

    def path_time_s(self, now_s: float) -> float:
        """How far along its path the arm has been sent, s of the path's own time."""
        return 0.0 if self._piece is None else min(self._piece.path_time_s(now_s), self.path_s)

    def follow(self, path: Trajectory, now_s: float) -> None:
        """Put a path in force from now on; `renew` must be called while it lasts, or it ends at rest on the way."""
        self._put_in_force(pacing.piece(path, 0.0, 1.0, now_s, self._braking))

    def renew(self, now_s: float) -> None:
        """Hand over the next piece of the path when it is due, and go on with one that had come to rest."""
        held = self._piece
        if held is None or self._stopped or held.completes() or now_s - held.start_s < pacing.RENEW_S:
            return
        if self.apart(now_s) or self._held_elsewhere(now_s):
            return
        at_s, rate = held.path_time_s(now_s), held.rate(now_s)
        self._put_in_force(pacing.piece(held.path, at_s, rate, now_s, self._braking, self._gap_rad(now_s)))

    def pause(self, now_s: float) -> None:
        """Come to rest on the path; `go_on` continues it.

        A controller that holds the arm elsewhere would make it jump onto the path: it is sent nothing, and ends what
        it has, if anything, at rest.
        """
        held = self._piece
        if held is not None and not self._stopped and held.moving(now_s) and not self._held_elsewhere(now_s):
            at_s, rate = held.path_time_s(now_s), held.rate(now_s)
            self._put_in_force(pacing.stop(held.path, at_s, rate, now_s, self._braking, self._gap_rad(now_s)))
        self._stopped = True

    def go_on(self, now_s: float) -> None:
        """Continue a path that was paused, from where it came to rest."""
        self._stopped = False
        self.renew(now_s)

    def come_to_rest(self, now_s: float) -> None:
        """Stop on the present path; an arm at rest is left alone."""
        self.pause(now_s)

    def yield_to_force(self, now_s: float) -> None:
        """Come to rest where the arm really is, so that it stops pressing towards where it was sent.

        Only where it is plainly seen to be, and by a way that passes the gate's own check; else it stops on its path.
        """
        if self.measured is None or not self.seen(now_s) or self._jump_from_rad is not None:
            self.come_to_rest(now_s)
            return
        if self._held_elsewhere(now_s):
            self._stopped = True
            return
        way = relieving(*self.commanded(now_s), self.measured, self._braking)
        too_far = self.apart_rad(now_s) > self.limits.following_tolerance_rad
        if too_far or not self._may_take(way):
            self.come_to_rest(now_s)
            return
        self.follow(way, now_s)

    def _gap_rad(self, now_s: float) -> float:
        """How far the controller says it is from where the gate's motion is; 0 where it says nothing."""
        return self.reference_apart_rad(now_s) if self.reference_fresh(now_s) else 0.0

    def _held_elsewhere(self, now_s: float) -> bool:
        """Whether the controller says that it holds the arm where the gate's motion is not."""
        return self._gap_rad(now_s) > MOVING_REFERENCE_TOLERANCE_RAD

    def base_on(self, joints_rad: Array) -> None:
        """Take ``joints_rad`` (7,) for where the arm was sent and stands; nothing is sent."""
        self._base, self._piece = joints_rad.copy(), None
        self._stopped = True
        self._apart_since_s, self._apart_readings, self._jump_from_rad = None, 0, None
        self._other_reference_since_s = None

    def put_to(self, joints_rad: Array) -> None:
        """The simulator has put the arm to (7,): the readings that were apart until now were no stray ones."""
        self.stray_readings -= self._apart_readings
        self.base_on(joints_rad)

    def _put_in_force(self, piece: Piece) -> None:
        self._piece, self._stopped = piece, False
        self._issue(piece.motion)

    @property
    def _braking(self) -> float:
        return self.limits.blend_acceleration_rad_s2
