"""What a person does from the page, carried to the stack by the services, the action and the topic that others use."""

import threading
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.node import Node
from std_msgs.msg import Header

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError, shortened
from vital_interfaces.action import RunTask
from vital_interfaces.msg import OperatorInput, TeleopEvent
from vital_interfaces.srv import ClearStop, Stop, TakeBaseline
from vital_monitor.state.key_hand import Hand
from vital_monitor.state.offers import WORDS, Deed
from vital_ros.calls import run_action

DEVICE = "monitor"
RUN_S = 180.0
LONGEST_SENTENCE = 300
# A press that comes with the STOP on the space bar, of a button that the keyboard still stands on, does not count.
AFTER_STOP_S = 0.5
# A gate that does not answer yet is asked again for so long.
STOP_AGAIN_S = 10.0
KINDS = {
    Deed.START: TeleopEvent.START,
    Deed.PAUSE: TeleopEvent.START,  # between episodes START pauses, and goes on
    Deed.SUCCESS: TeleopEvent.SUCCESS,
    Deed.FAILURE: TeleopEvent.FAILURE,
    Deed.REDO: TeleopEvent.REDO,
    Deed.FINISH: TeleopEvent.FINISH,
}
Tell = Callable[[str, bool], None]


class Hands:
    """Clients of the stack; safe from any thread. tell: hears what was answered, and whether that is bad news.
    stop_shown: number of the stop that the page shows."""

    def __init__(self, node: Node, task: str, tell: Tell, stop_shown: Callable[[], int]) -> None:
        self._node, self._task, self._tell, self._stop_shown = node, task, tell, stop_shown
        self._events = node.create_publisher(TeleopEvent, "/vital/teleop_event", 10)
        self._input = node.create_publisher(OperatorInput, "/vital/operator_input", 10)
        self._stop = node.create_client(Stop, "/vital/stop")
        self._clear = node.create_client(ClearStop, "/vital/clear_stop")
        self._baseline = node.create_client(TakeBaseline, "/anyskin/take_baseline")
        self._run = ActionClient(node, RunTask, "/vital/run_task")
        self._stopped_s = float("-inf")
        self._unanswered: Stop.Request | None = None
        self._cancel = threading.Event()
        self._runner: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether a sentence of ours is under way."""
        return self._runner is not None and self._runner.is_alive()

    def served(self) -> set[Deed]:
        """Deeds whose service or action answers."""
        ready = {
            Deed.CLEAR: self._clear.service_is_ready(),
            Deed.BASELINE: self._baseline.service_is_ready(),
            Deed.RUN: self._run.server_is_ready(),
        }
        return {deed for deed, is_ready in ready.items() if is_ready}

    def stop(self, who: str) -> None:
        """Latch the gate's stop, at once."""
        self._stopped_s = steady_s()
        self._cancel.set()
        request = Stop.Request(reason=f"STOP on the monitor by {who}")
        if self._stop.service_is_ready():
            self._ask(self._stop, request, "STOP")
        else:
            self._unanswered = request
            again = f"it is asked again for {STOP_AGAIN_S:.0f} s"
            self._tell(f"STOP reached nobody: the command gate does not answer; {again}", True)
        self._press(TeleopEvent.STOP)

    def go_on_stopping(self) -> None:
        """Ask the gate for the stop that reached nobody, as soon as it answers; to be called again and again."""
        request = self._unanswered
        if request is None:
            return
        if self._stop.service_is_ready():
            self._unanswered = None
            self._ask(self._stop, request, "STOP")
        elif steady_s() - self._stopped_s > STOP_AGAIN_S:
            self._unanswered = None
            self._tell("STOP reached nobody: the command gate still does not answer", True)

    def do(self, deed: Deed, who: str, sentence: str = "") -> None:
        """Anything else, in somebody's name."""
        if steady_s() - self._stopped_s < AFTER_STOP_S:
            self._tell(f"{deed} came with STOP and does not count", True)
        elif deed in WORDS:
            self._press(KINDS[deed])
            self._tell(f"{deed} by {who}", False)
        elif deed is Deed.CLEAR:
            request = ClearStop.Request(operator_name=who, stop_number=self._stop_shown())
            self._ask(self._clear, request, f"clear by {who}")
        elif deed is Deed.BASELINE:
            self._ask(self._baseline, TakeBaseline.Request(), "baseline")
        elif deed is Deed.CANCEL:
            self._cancel.set()
        else:
            self._begin(" ".join(sentence.split()), who)

    def move(self, hand: Hand) -> None:
        """What the hand on the keys does now, to the teleoperation node."""
        message = OperatorInput(header=self._header(), device=DEVICE, clutch=hand.clutch, gripper=float(hand.closed))
        message.kind = OperatorInput.TWIST if hand.twist.any() else OperatorInput.NONE
        v, w = message.twist.linear, message.twist.angular
        v.x, v.y, v.z, w.x, w.y, w.z = map(float, hand.twist)
        self._input.publish(message)

    def _header(self) -> Header:
        return Header(stamp=self._node.get_clock().now().to_msg())

    def _press(self, kind: int) -> None:
        self._events.publish(TeleopEvent(header=self._header(), device=DEVICE, kind=kind))

    def _ask(self, client: Client, request: Any, what: str) -> None:
        if not client.service_is_ready():
            self._tell(f"{what}: nobody serves {client.srv_name}", True)
            return

        def answered(future: Any) -> None:
            answer = future.result()
            words = answer.message or ("done" if answer.success else "refused")
            self._tell(f"{what}: {shortened(words)}", not answer.success)

        client.call_async(request).add_done_callback(answered)

    def _begin(self, sentence: str, who: str) -> None:
        if self.running:
            self._tell("a sentence is under way: cancel it first", True)
            return
        if len(sentence) > LONGEST_SENTENCE:
            self._tell(f"the sentence has {len(sentence)} characters, expected at most {LONGEST_SENTENCE}", True)
            return
        self._cancel.clear()
        goal = RunTask.Goal(task=self._task, prompt=sentence, seed=0)
        self._tell(f"run by {who}: {sentence or 'the sentence of the task'}", False)
        self._runner = threading.Thread(target=self._run_goal, args=(goal,), name="run_task", daemon=True)
        self._runner.start()

    def _run_goal(self, goal: RunTask.Goal) -> None:
        try:
            _, result = run_action(self._run, goal, timeout_s=RUN_S, cancel_when=self._cancel.is_set)
        except VitalError as error:
            self._tell(str(error), error.code is not ErrorCode.CANCELLED)
            return
        report = result.report
        words = "success" if result.success else report.message or "no success"
        self._tell(f"run: {shortened(words)}, after {report.duration_s:.0f} s", not result.success)

    def let_go(self) -> None:
        """Call off what is under way, before the end."""
        self._cancel.set()
        if self._runner is not None:
            self._runner.join(1.0)
