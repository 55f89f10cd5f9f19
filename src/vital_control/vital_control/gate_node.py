"""The command gate as a ROS node: converts messages, asks the gate, publishes what it issues."""

from control_msgs.msg import JointTrajectoryControllerState
from rclpy.duration import Duration
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from vital_control import gate_messages
from vital_control.execute_action import ExecuteTrajectoryAction
from vital_control.gate.gate import Gate
from vital_control.gate.ownership import Answer
from vital_control.gate_parameters import Bottom, declare_bottom, declare_limits, declare_touch_required
from vital_control.gate_reports import GateReports
from vital_control.sole_mover import become_sole_mover
from vital_core.arm.trajectory import Trajectory
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError, shortened
from vital_core.task import load_task
from vital_interfaces.msg import EndEffectorDelta, SceneReset, TactileArray
from vital_interfaces.srv import AcquireControl, ClearStop, Stop
from vital_ros.boundary import serve, subscribe
from vital_ros.conversions import arm_joints_of
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.process.priority import raise_priority
from vital_ros.qos import NEWEST

PRIORITY = 2
ARM_TOPIC = "/xarm7_traj_controller/joint_trajectory"
LOOK_S = 1.5
WATCHDOG_PERIOD_S = 0.02
TICKS_PER_STATE = 5  # the state at 10 Hz
ACKNOWLEDGE_S = 0.5
REFERENCE_TOPIC = "/xarm7_traj_controller/controller_state"


class GateNode(Node):
    """`/vital/command` and `/vital/execute_trajectory` in, joint trajectories out; see the package's docstring."""

    def __init__(self, look_s: float = 0.0) -> None:
        """look_s: how long to look for another mover of the arm, 0: not at all. Raises VitalError(BUSY) for one."""
        super().__init__("command_gate")
        self._arm = self.create_publisher(JointTrajectory, ARM_TOPIC, 1)
        self._gripper = self.create_publisher(JointTrajectory, "/xarm_gripper_traj_controller/joint_trajectory", 1)
        limits, simulated, touch = (
            declare_limits(self),
            declare_bottom(self) is Bottom.SIM,
            declare_touch_required(self),
        )
        self._alone = become_sole_mover(self, ARM_TOPIC, look_s) if look_s > 0.0 else None
        self.gate = Gate(limits, self._issue, self._grip, simulated=simulated, touch_required=touch)
        self._reports = GateReports(self, self.gate)
        self._action = ExecuteTrajectoryAction(self, self.gate, self._reports.say_change)
        self._ticks = 0
        self._listen()

    def _listen(self) -> None:
        subscribe(self, JointState, "/joint_states", self._on_joints, NEWEST)
        subscribe(self, JointTrajectoryControllerState, REFERENCE_TOPIC, self._on_reference, NEWEST)
        subscribe(self, SceneReset, "/vital/scene_reset", self._on_scene_reset, 1)
        subscribe(self, TactileArray, "/anyskin/tactile", self._on_tactile, NEWEST)
        subscribe(self, EndEffectorDelta, "/vital/command", self._on_command, 1)
        serve(self, AcquireControl, "/vital/acquire_control", self._on_acquire)
        serve(self, Stop, "/vital/stop", self._on_stop, whatever=True)
        serve(self, ClearStop, "/vital/clear_stop", self._on_clear)
        self.create_timer(WATCHDOG_PERIOD_S, self._on_tick)

    def _issue(self, trajectory: Trajectory) -> None:
        self._arm.publish(gate_messages.arm_message(trajectory))

    def _grip(self, closed: float) -> None:
        self._gripper.publish(gate_messages.gripper_message(closed))

    def _on_joints(self, message: JointState) -> None:
        self.gate.observe_joints(arm_joints_of(message.name, message.position), steady_s())

    def _on_reference(self, message: JointTrajectoryControllerState) -> None:
        reference = arm_joints_of(message.joint_names, message.reference.positions)
        self.gate.observe_reference(reference, steady_s())

    def _on_scene_reset(self, message: SceneReset) -> None:
        self.gate.announce_reset(arm_joints_of(message.joint_names, message.position_rad), steady_s())

    def _on_tactile(self, message: TactileArray) -> None:
        field, valid, baseline = gate_messages.tactile_of(message)
        self.gate.observe_tactile(field, valid, steady_s(), baseline, message.baseline_id)
        self._reports.say_change()

    def _on_command(self, message: EndEffectorDelta) -> None:
        now_s, ros_now_s = steady_s(), self.get_clock().now().nanoseconds * 1e-9
        self.gate.judge(gate_messages.command_of(message), now_s, ros_now_s)
        self._reports.judged(message.owner, steady_s() - now_s)

    def _on_acquire(
        self, request: AcquireControl.Request, response: AcquireControl.Response
    ) -> AcquireControl.Response:
        answer = self._change_owner(request)
        response.granted, response.token = answer.granted, answer.token
        response.error_code, response.message = int(answer.code), answer.text
        response.current_owner = self.gate.owner
        self._reports.answered(answer)
        return response

    def _change_owner(self, request: AcquireControl.Request) -> Answer:
        if request.release:
            return self.gate.release(request.owner, request.token, steady_s())
        try:
            task = load_task(request.task) if request.task else None
        except VitalError as error:
            return Answer(False, error.code, error.message)
        return self.gate.acquire(request.owner, task, steady_s(), token=request.token, take_over=request.take_over)

    def _on_stop(self, request: Stop.Request, response: Stop.Response) -> Stop.Response:
        answer = self.gate.latch(ErrorCode.STOPPED, shortened(request.reason) or "no reason given", steady_s())
        response.success, response.message = answer.granted, answer.text
        self._reports.say_change()
        return response

    def _on_clear(self, request: ClearStop.Request, response: ClearStop.Response) -> ClearStop.Response:
        answer = self.gate.clear(request.operator_name, steady_s(), number=request.stop_number)
        response.success, response.error_code, response.message = answer.granted, int(answer.code), answer.text
        self._reports.answered(answer)
        return response

    def _on_tick(self) -> None:
        self._ticks += 1
        regular = self._ticks % TICKS_PER_STATE == 0
        self.gate.tick(steady_s())
        self._action.follow(feedback=regular)
        say = self._reports.say_state if regular else self._reports.say_change
        say()

    def on_exit(self) -> None:
        """Bring the arm to rest and see to it that the controller has been told."""
        self.gate.rest(steady_s())
        self._arm.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))
        self._reports.say_state()


def main(args: list[str] | None = None) -> None:
    """Run the command gate until SIGINT or SIGTERM."""
    raise_priority(PRIORITY)
    exit_with(run_node(lambda: GateNode(LOOK_S), make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
