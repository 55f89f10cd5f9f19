"""The simulated robot as a ROS node: joint trajectories in, sensors out, at real time."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from vital_core.arm.xarm7 import GRIPPER_CLOSED_RAD, GRIPPER_JOINT, JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import WINDOW, WristView
from vital_interfaces.srv import ResetScene, TakeBaseline
from vital_ros.boundary import serve, subscribe
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.process.priority import be_nice
from vital_sim.ros import sim_messages as to
from vital_sim.ros.joint_trajectory import Points
from vital_sim.ros.sim_publishers import SimPublishers
from vital_sim.ros.sim_session import SimSession
from vital_sim.world.variation import ALL_SETTINGS

ANSWER_S = 20.0
MOST_BASELINE_SAMPLES = 500  # 5 s
# It stands for hardware, which nobody on this machine holds up.
NICENESS = -10
ARM_TOPIC = "/xarm7_traj_controller/joint_trajectory"
GATES_TIME_S = 0.4  # to bring the arm to rest before it halts by itself
LINGER_S = 1.2


@dataclass(frozen=True)
class SimParameters:
    """The first scene."""

    task: Annotated[str, Meta(description="the task whose scene is laid")] = "usb_insertion"
    seed: Annotated[int, Meta(ge=0, le=2**53, description="of the first scene")] = 0
    background: Annotated[str, Meta(description="what lies on the table: green, plain, or clutter")] = "green"
    setting: Annotated[str, Meta(description="of the scenes: " + ", ".join(ALL_SETTINGS))] = "in_domain"
    wrist_view: Annotated[WristView, Meta(description="what the wrist image shows")] = WINDOW


class SimNode(Node):
    """Stands where the arm, its gripper and its sensors stand on the robot."""

    def __init__(self) -> None:
        super().__init__("vital_sim")
        given = declare(self, SimParameters)
        self._halted = False
        publishers = SimPublishers(self)
        first = given.task, given.seed, given.background
        self.session = SimSession(*first, publishers.sinks(), given.setting, given.wrist_view)
        publishers.session = self.session
        self._listen(ARM_TOPIC, JOINT_NAMES, self.session.follow)
        self._listen("/xarm_gripper_traj_controller/joint_trajectory", (GRIPPER_JOINT,), self._on_gripper)
        serve(self, TakeBaseline, "/anyskin/take_baseline", self._on_baseline)
        serve(self, ResetScene, "/vital/reset_scene", self._on_reset)
        self._diagnostics = Diagnostics(self, self._health)

    def _listen(self, topic: str, joints: tuple[str, ...], follow: Callable[[Points], Any]) -> None:
        subscribe(self, JointTrajectory, topic, follow, 1, read=lambda message: to.points_of(message, joints))

    def _on_gripper(self, points: Points) -> None:
        self.session.grip(float(points.positions[-1, 0]) / GRIPPER_CLOSED_RAD)

    def _on_baseline(self, request: TakeBaseline.Request, response: TakeBaseline.Response) -> TakeBaseline.Response:
        if request.samples > MOST_BASELINE_SAMPLES:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"a baseline of {request.samples} readings, expected at most {MOST_BASELINE_SAMPLES}",
            )
        baseline = self._answer_of(self.session.take_baseline(request.samples or 5))
        response.success, response.message = True, "median of the readings taken"
        response.baseline_id, response.baseline_ut = self.session.baseline_id, baseline.tolist()
        return response

    def _on_reset(self, request: ResetScene.Request, response: ResetScene.Response) -> ResetScene.Response:
        if request.seed < 0:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"seed is {request.seed}, expected 0 or more")
        response.episode = self._answer_of(self.session.reset(request.task, request.seed))
        response.success, response.message = True, f"scene {request.seed} of {self.session.task}"
        return response

    @staticmethod
    def _answer_of(asked: Future) -> Any:
        try:
            return asked.result(ANSWER_S)
        except TimeoutError as error:
            raise VitalError(ErrorCode.TIMEOUT, "the simulation did not answer") from error

    def _health(self) -> Health:
        s = self.session
        if s.failure is not None:
            raise VitalError(ErrorCode.INTERNAL, f"the simulation ended: {s.failure}")
        slow = s.real_time_factor < 0.95
        message = "slower than real time" if slow else "at real time"
        counts = {f"{name}_sent": n for name, n in s.frames_sent.items()}
        values: dict[str, float] = {
            "real_time_factor": s.real_time_factor,
            "frames_dropped": s.frames_dropped,
            "episode": s.episode,
        }
        return Health(WARN if slow else OK, message, {**values, **counts})

    def lingers(self, asked_s: float) -> bool:
        """An arm outlasts the program that moves it: shown until the gate has gone and it stands, `LINGER_S` at most.

        Without the gate's word it halts by itself, as a controller does that is switched off. asked_s: since the
        signal.
        """
        if self.session.failure is not None or asked_s > LINGER_S:
            return False
        if asked_s > GATES_TIME_S and not self._halted and not self.session.at_rest:
            self._halted = True
            self.session.halt()
        return self.count_publishers(ARM_TOPIC) > 0 or not self.session.at_rest

    def on_exit(self) -> None:
        """End the simulation's thread before the publishers go."""
        self.session.close()


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    be_nice(NICENESS)
    exit_with(run_node(SimNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
