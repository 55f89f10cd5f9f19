"""The scripted operator as a node: one more device for the teleoperation node, on `/vital/operator_input`."""

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from std_msgs.msg import Header

from vital_core.arm.xarm7 import BASE_FRAME
from vital_core.clock import steady_s
from vital_core.task import load_task
from vital_interfaces.msg import OperatorInput, SessionState, SimTruth, TeleopEvent
from vital_ros.boundary import subscribe
from vital_ros.conversions import pose_message
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.message_check import one_of, refusal
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.qos import LATCHED
from vital_sim.demonstrator.operator import Button, Gesture, ScriptedOperator
from vital_sim.demonstrator.rollout import PERIOD_S
from vital_sim.ros.sim_messages import seeded_truth
from vital_sim.world.truth import Truth

DEVICE = "scripted"
EVENTS = {
    Button.NONE: 0,
    Button.START: TeleopEvent.START,
    Button.SUCCESS: TeleopEvent.SUCCESS,
    Button.FAILURE: TeleopEvent.FAILURE,
}
SHOWN_IN = (SessionState.READY, SessionState.RECORDING)
# Older truth than this is not acted on: the hand stands still.
TRUTH_AGE_S = 0.3


class OperatorNode(Node):
    """Answers the session: shows an episode whenever it is READY, and sends a heartbeat otherwise."""

    def __init__(self) -> None:
        super().__init__("scripted_operator")
        self._truth: Truth | None = None
        self._truth_seed = -1
        self._truth_s = -1e9
        self._session = SessionState()
        self._operator: ScriptedOperator | None = None
        self._attempt = -1
        self._shown = 0
        self._input = self.create_publisher(OperatorInput, "/vital/operator_input", 10)
        self._intended = self.create_publisher(PoseStamped, "/vital/tcp_intended", 10)
        subscribe(self, SimTruth, "/sim/truth", self._on_truth, 1, read=seeded_truth)
        subscribe(self, SessionState, "/vital/session_state", self._on_session, LATCHED, read=known_session)
        self.create_timer(PERIOD_S, self._tick)
        self._diagnostics = Diagnostics(self, self._health)

    def _on_truth(self, known: tuple[int, Truth]) -> None:
        self._truth_seed, self._truth = known
        self._truth_s = steady_s()

    def _on_session(self, message: SessionState) -> None:
        self._session = message

    def _tick(self) -> None:
        stamp = self.get_clock().now().to_msg()
        gesture = self._gesture()
        message = OperatorInput(header=Header(frame_id=BASE_FRAME, stamp=stamp), device=DEVICE)
        if gesture is None:
            message.kind, message.gripper = OperatorInput.NONE, 1.0
        else:
            message.kind, message.clutch = OperatorInput.POSE, gesture.clutch
            message.pose = pose_message(gesture.t_base_hand)
            message.event, message.gripper = EVENTS[gesture.button], gesture.gripper
            if gesture.intended is not None:
                header = Header(frame_id=BASE_FRAME, stamp=stamp)
                self._intended.publish(PoseStamped(header=header, pose=pose_message(gesture.intended)))
        self._input.publish(message)

    def _gesture(self) -> Gesture | None:
        """What the hand does now; None for nothing but a sign of life."""
        session = self._session
        if session.phase not in SHOWN_IN or self._truth is None or steady_s() - self._truth_s > TRUTH_AGE_S:
            return None
        if session.attempt != self._attempt:
            if session.phase != SessionState.READY or self._truth_seed != session.seed:
                return None
            self._operator = ScriptedOperator(load_task(session.task), self._truth, session.seed)
            self._attempt = session.attempt
            self._shown += 1
        assert self._operator is not None
        return self._operator.gesture(self._truth, recording=session.phase == SessionState.RECORDING)

    def _health(self) -> Health:
        values = {"episodes_shown": self._shown}
        if steady_s() - self._truth_s > TRUTH_AGE_S:
            return Health(WARN, "no truth: is the simulator there?", values)
        return Health(OK, "watching", values)


def known_session(message: SessionState) -> SessionState:
    """A session of a task that there is, where it wants to be shown something."""
    one_of("phase", message.phase, range(SessionState.FINISHED + 1))
    if message.seed < -1:
        raise refusal(f"seed is {message.seed}, expected 0 or more, or -1 for none")
    if message.phase in SHOWN_IN:
        load_task(message.task)
    return message


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    exit_with(run_node(OperatorNode, args=args))


if __name__ == "__main__":
    main()
