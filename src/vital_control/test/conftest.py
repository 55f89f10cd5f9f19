"""A gate with an ideal controller behind it, on a clock that the test turns."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vital_control.gate.command_check import Command
from vital_control.gate.gate import Gate
from vital_control.gate.limits import Limits
from vital_control.gate.trajectory_check import TrajectoryRequest
from vital_control.gate.verdict import Judgement, Verdict
from vital_core.arm.trajectory import Trajectory
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.task import Task, load_task

# The task's limits that these tests speak of, whatever the task files are tuned to.
TASK = replace(
    load_task("usb_insertion"),
    workspace_lower_m=(0.28, -0.25, 0.02),
    workspace_upper_m=(0.64, 0.25, 0.45),
    max_step_m=0.03,
    max_step_rad=0.15,
    tactile_limit_ut=1500.0,
    control_rate_hz=6.0,
)
ROS_EPOCH_S = 1.7e9
SENSOR_PERIOD_S = 0.01


class GateRig:
    """The gate, a controller that follows each trajectory from where it is on, and sensors at 100 Hz.

    history: rows of time (1), commanded joints (7), 10 ms apart, as the controller carried them out. moved_by_hand:
    how far the measured joints are from the controller's. reference: whether the controller says where it holds the
    arm. simulated, touch_required: as the gate has them.
    """

    def __init__(
        self,
        joints_rad: np.ndarray = HOME_RAD,
        *,
        simulated: bool = False,
        touch_required: bool = True,
        **limits: float,
    ) -> None:
        self.now_s = 100.0
        self.issued: list[Trajectory] = []
        self.gripped: list[float] = []
        self.history: list[np.ndarray] = []
        self.field_ut = np.zeros((5, 3))
        self.tactile = self.joint_states = self.reference = self.ticking = True
        self.token = 0
        self.moved_by_hand = np.zeros(7)
        self._start = (self.now_s, Trajectory.rest(joints_rad))
        self.gate = Gate(
            Limits(TASK, **limits),
            self._follow,
            self.gripped.append,
            simulated=simulated,
            touch_required=touch_required,
        )
        self.seq = 0
        self.wait(0.05)

    def _follow(self, trajectory: Trajectory) -> None:
        np.testing.assert_allclose(trajectory.velocities_rad_s[-1], 0.0, atol=1e-12)
        self.issued.append(trajectory)
        # As a controller does: it goes on from where it is, and the first knot is left out of what it is sent.
        start_s, held = self._start
        position, velocity = held.state(self.now_s - start_s)
        positions = np.vstack([position, trajectory.positions_rad[1:]])
        velocities = np.vstack([velocity, trajectory.velocities_rad_s[1:]])
        self._start = (self.now_s, Trajectory(trajectory.times_s, positions, velocities))

    def set_point(self) -> np.ndarray:
        """(7,) where the controller holds the arm at this moment, rad."""
        start_s, trajectory = self._start
        return trajectory.state(self.now_s - start_s)[0]

    def wait(self, duration_s: float) -> None:
        """Let time pass, with sensors and watchdog."""
        for _ in range(max(1, round(duration_s / SENSOR_PERIOD_S))):
            self.now_s += SENSOR_PERIOD_S
            self.history.append(np.append(self.now_s, self.set_point()))
            if self.joint_states:
                self.gate.observe_joints(self.set_point() + self.moved_by_hand, self.now_s)
            if self.reference:
                self.gate.observe_reference(self.set_point(), self.now_s)
            if self.tactile:
                self.gate.observe_tactile(self.field_ut, np.ones(5, bool), self.now_s)
            if self.ticking:
                self.gate.tick(self.now_s)

    def own(self, owner: str = "policy", task: Task | None = None) -> None:
        """Acquire, expecting to be granted."""
        answer = self.gate.acquire(owner, task, self.now_s, token=self.token)
        assert answer.granted, answer.text
        self.token = answer.token

    def release(self) -> None:
        """Give the arm back, expecting that it is taken."""
        answer = self.gate.release(self.gate.owner, self.token, self.now_s)
        assert answer.granted, answer.text

    def put_elsewhere(self, joints_rad: np.ndarray) -> None:
        """The arm and its controller stand elsewhere from now on, as after a scene reset."""
        self._start = (self.now_s, Trajectory.rest(joints_rad))

    def command(self, **changes: Any) -> Command:
        """A good command of 5 mm along x at 6 Hz, but for ``changes``."""
        self.seq += 1
        good = Command(
            owner=self.gate.owner,
            token=self.token,
            seq=self.seq,
            frame_id="link_tcp",
            stamp_s=self.ros_now_s - 0.05,
            valid_until_s=self.ros_now_s + 0.1,
            duration_s=1 / 6,
            translation_m=np.array([0.005, 0.0, 0.0]),
            rotation_rad=np.zeros(3),
            gripper=1.0,
        )
        return replace(good, **changes)

    @property
    def ros_now_s(self) -> float:
        """ROS time; another clock than the steady one."""
        return ROS_EPOCH_S + self.now_s

    def send(self, **changes: Any) -> Judgement:
        """Judge a command made by `command`."""
        return self.gate.judge(self.command(**changes), self.now_s, self.ros_now_s)

    def send_expecting(self, verdict: Verdict, **changes: Any) -> str:
        """Judge a command, expect a verdict and that a refusal issues nothing new but a stop; returns the text."""
        before = len(self.issued)
        judgement = self.send(**changes)
        assert judgement.verdict is verdict, judgement
        if not judgement.accepted:
            assert len(self.issued) == before
        return judgement.text

    def request(self, goal_rad: np.ndarray, duration_s: float = 2.0, **changes: Any) -> TrajectoryRequest:
        """A minimum-jerk trajectory from the measured joints to ``goal_rad``, but for ``changes``."""
        times = np.linspace(0.0, duration_s, 41)
        s = times / duration_s
        start = self.set_point() + self.moved_by_hand
        way = goal_rad - start
        positions = start + np.outer(s**3 * (10 - 15 * s + 6 * s**2), way)
        velocities = np.outer(30 * s**2 * (1 - s) ** 2 / duration_s, way)
        good = TrajectoryRequest(
            "reach", list(JOINT_NAMES), times, positions, velocities, self.token, self.ros_now_s + 2.0
        )
        return replace(good, **changes)

    def judge(self, request: TrajectoryRequest) -> Judgement:
        """Judge a trajectory made by `request`."""
        return self.gate.judge_trajectory(request, self.now_s, self.ros_now_s)

    def track(self) -> np.ndarray:
        """(n, 8) history: time, commanded joints."""
        return np.array(self.history)


@pytest.fixture(scope="session")
def task() -> Task:
    """The task whose limits apply in these tests."""
    return TASK


@pytest.fixture
def rig() -> GateRig:
    """A gate that sees an arm at home; nobody owns it."""
    return GateRig()


@pytest.fixture
def make_rig() -> type[GateRig]:
    """For tests that want another start or other limits."""
    return GateRig
