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
from vital_interfaces.msg import TeleopEvent
from vital_interfaces.srv import ClearStop, Stop, TakeBaseline
from vital_monitor.state.offers import WORDS, Deed
from vital_ros.calls import run_action

DEVICE = "monitor"
RUN_S = 180.0
LONGEST_SENTENCE = 300
# A press that comes with the STOP on the space bar, of a button that the keyboard still stands on, does not count.
AFTER_STOP_S = 0.5
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
    """Clients of the stack; safe from any thread. tell: hears what was answered, and whether that is bad news."""

    def __init__(self, node: Node, task: str, tell: Tell) -> None:
        self._node, self._task, self._tell = node, task, tell
        self._events = node.create_publisher(TeleopEvent, "/vital/teleop_event", 10)
        self._stop = node.create_client(Stop, "/vital/stop")
        self._clear = node.create_client(ClearStop, "/vital/clear_stop")
        self._baseline = node.create_client(TakeBaseline, "/anyskin/take_baseline")
        self._run = ActionClient(node, RunTask, "/vital/run_task")
        self._stopped_s = float("-inf")
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
        if self._stop.service_is_ready():
            self._ask(self._stop, Stop.Request(reason=f"STOP on the monitor by {who}"), "STOP")
        else:
            self._tell("STOP reached nobody: the command gate does not answer", True)
        self._press(TeleopEvent.STOP)

    def do(self, deed: Deed, who: str, sentence: str = "") -> None:
        """Anything else, in somebody's name."""
        if steady_s() - self._stopped_s < AFTER_STOP_S:
            self._tell(f"{deed} came with STOP and does not count", True)
        elif deed in WORDS:
            self._press(KINDS[deed])
            self._tell(f"{deed} by {who}", False)
        elif deed is Deed.CLEAR:
            self._ask(self._clear, ClearStop.Request(operator_name=who), f"clear by {who}")
        elif deed is Deed.BASELINE:
            self._ask(self._baseline, TakeBaseline.Request(), "baseline")
        elif deed is Deed.CANCEL:
            self._cancel.set()
        else:
            self._begin(" ".join(sentence.split()), who)

    def _press(self, kind: int) -> None:
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._events.publish(TeleopEvent(header=header, device=DEVICE, kind=kind))

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
