"""Runs a session of demonstrations over the system: scene, start pose, the operator's turn, saved.

Exit code 0 when the session came to its end (all episodes, or the operator's FINISH), 1 on a fault, 2 when
something that was asked for does not exist.
"""

import queue
import threading
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta
from rclpy.node import Node
from std_msgs.msg import Header

from vital_bringup.sessions.demo_session import DemoSession, Outcome, Phase, Press, Saved, Tally
from vital_bringup.tasks.ros_skills import RosSkills
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.labeller import Labeller
from vital_core.stall import wait_out_a_stall
from vital_core.task import load_task
from vital_interfaces.msg import GateState, SessionState, TeleopEvent, TeleopState
from vital_interfaces.srv import ClearStop, FinishEpisode, ResetScene, StartEpisode, TakeBaseline
from vital_ros.boundary import subscribe
from vital_ros.calls import call, checked
from vital_ros.diagnostics import OK, Diagnostics, Health
from vital_ros.parameters import declare
from vital_ros.process.client_main import run_client, wait_until_ready, whole_again
from vital_ros.qos import LATCHED

EXIT_OK = 0
RELEASE_TIMEOUT_S = 15.0
PHASES = {
    Phase.PREPARING: SessionState.PREPARING,
    Phase.READY: SessionState.READY,
    Phase.RECORDING: SessionState.RECORDING,
    Phase.SAVING: SessionState.SAVING,
    Phase.FINISHED: SessionState.FINISHED,
}
PRESSES = {
    TeleopEvent.START: Press.START,
    TeleopEvent.SUCCESS: Press.SUCCESS,
    TeleopEvent.FAILURE: Press.FAILURE,
    TeleopEvent.REDO: Press.REDO,
    TeleopEvent.FINISH: Press.FINISH,
    TeleopEvent.STOP: Press.STOPPED,
}
OUTCOMES = {
    Outcome.SUCCESS: FinishEpisode.Request.SUCCESS,
    Outcome.FAILURE: FinishEpisode.Request.FAILURE,
    Outcome.REDO: FinishEpisode.Request.REDO,
}


@dataclass(frozen=True)
class RecordParameters:
    """What is demonstrated, by whom and how often."""

    task: Annotated[str, Meta(description="the task that is demonstrated")] = "usb_insertion"
    operator: Annotated[str, Meta(description="who demonstrates, as kept with each episode")] = ""
    hardware: Annotated[str, Meta(description="sim, mock or robot; sim: a new scene for each episode")] = "sim"
    start_timeout_s: Annotated[float, Meta(ge=0.1, le=3600.0, description="for every part to answer, s")] = 90.0
    seed: Annotated[int, Meta(ge=0, le=2**53, description="of the first scene; the next one's is 1 more")] = 0
    episodes: Annotated[int, Meta(ge=0, le=10**6, description="how many to save; 0: as many as the task asks for")] = 0


class RecordSession(Node):
    """The parts of the system that a session needs, and where it stands."""

    def __init__(self) -> None:
        super().__init__("record_session")
        given = declare(self, RecordParameters)
        self.task = load_task(given.task)
        self._operator, self._simulated = given.operator, given.hardware == "sim"
        self._start_timeout_s, self.first_seed = given.start_timeout_s, given.seed
        self.tally = Tally(given.episodes or self.task.demonstrations)
        self._stopping = threading.Event()
        self._presses: queue.Queue[Press] = queue.Queue()
        self._latched = self._gate_silent = False
        self._device = ""
        self._lost = False
        self._skills = RosSkills(self, Labeller.OPERATOR, self._on_gate)
        self._connect()

    def _connect(self) -> None:
        self._state = self.create_publisher(SessionState, "/vital/session_state", LATCHED)
        subscribe(self, TeleopEvent, "/vital/teleop_event", self._on_event, 10)
        subscribe(self, TeleopState, "/vital/teleop_state", self._on_teleop, 10)
        self._start = self.create_client(StartEpisode, "/vital/record/start")
        self._finish = self.create_client(FinishEpisode, "/vital/record/finish")
        self._baseline = self.create_client(TakeBaseline, "/anyskin/take_baseline")
        self._reset = self.create_client(ResetScene, "/vital/reset_scene")
        self._clear = self.create_client(ClearStop, "/vital/clear_stop")
        self._diagnostics = Diagnostics(self, lambda: Health(OK, self.tally.line()))

    def _on_event(self, message: TeleopEvent) -> None:
        if message.kind in PRESSES:
            self._presses.put(PRESSES[message.kind])

    def _on_teleop(self, message: TeleopState) -> None:
        lost = message.mode == TeleopState.LOST
        if lost and not self._lost:
            self._presses.put(Press.STOPPED)
        self._device, self._lost = message.device, lost

    def _on_gate(self, message: GateState) -> None:
        latched = message.mode == GateState.LATCHED
        if latched and not self._latched:
            self._presses.put(Press.STOPPED)
        self._latched = latched

    def wait_for_parts(self, stopping: threading.Event) -> None:
        """Wait until every part answers. Raises VitalError(NODE_LOST) naming those that do not."""
        self._stopping = stopping
        wait_until_ready(self, self._missing, stopping, self._start_timeout_s)

    def whole_again(self, error: VitalError) -> bool:
        """As in `demo_session.Parts`."""
        self.get_logger().error(str(error))
        return whole_again(self, self._missing, self._stopping)

    def _missing(self) -> list[str]:
        clients = {"recorder": self._start, "touch": self._baseline}
        if self._simulated:
            clients["simulator"] = self._reset
        missing = [name for name, client in clients.items() if not client.service_is_ready()]
        if not self._skills.watch.knows_the_arm:
            missing.append("command gate with joint states")
        if not self._device or self._lost:
            missing.append("the operator's device")
        return [*missing, *self._skills.missing()]

    # What the session asks for: see demo_session.Parts.

    def prepare(self, seed: int) -> None:
        """As in `demo_session.Parts`."""
        self._wait_until_released()
        if self._simulated:
            if self._latched:
                call(self._clear, ClearStop.Request(operator_name="record in simulation"))
            self._skills.watch.wait_until_free()
            checked(call(self._reset, ResetScene.Request(task=self.task.name, seed=seed), timeout_s=30.0))
        else:
            self._wait_for_scene(seed)
        located = self._skills.localize(self.task.prompt)
        self._skills.reach(self.task.name, located, seed)
        wait_out_a_stall(lambda: checked(call(self._baseline, TakeBaseline.Request())), self._stopping.is_set)
        self._forget_presses()

    def _wait_until_released(self) -> None:
        deadline = steady_s() + RELEASE_TIMEOUT_S
        while (gate := self._skills.watch.state) is not None and gate.owner == "teleop":
            if self._stopping.wait(0.05):
                raise VitalError(ErrorCode.CANCELLED, "stopped")
            if steady_s() > deadline:
                raise VitalError(ErrorCode.NOT_OWNER, "the operator still holds the arm: open the clutch")

    def _wait_for_scene(self, seed: int) -> None:
        """A real scene is laid by hand, and the arm moves only when a person has said that hands are off."""
        del seed
        self.get_logger().info("lay the scene with the held object in the hand, step back, then press START")
        while (press := self.press(None)) is not Press.START:
            if press is Press.FINISH:
                raise VitalError(ErrorCode.CANCELLED, "finished by the operator")

    def start_recording(self, seed: int) -> int:
        """As in `demo_session.Parts`."""
        request = StartEpisode.Request(
            task=self.task.name,
            operator_name=self._operator,
            device=self._device,
            seed=seed if self._simulated else -1,
        )
        return checked(call(self._start, request)).episode

    def finish_recording(self, outcome: Outcome, note: str) -> Saved:
        """As in `demo_session.Parts`."""
        request = FinishEpisode.Request(outcome=OUTCOMES[outcome], note=note)
        answer = checked(call(self._finish, request, timeout_s=60.0))
        return Saved(answer.episode, answer.frames, tuple(answer.faults))

    def press(self, timeout_s: float | None) -> Press:
        """As in `demo_session.Parts`."""
        deadline = None if timeout_s is None else steady_s() + timeout_s
        while not self._stopping.is_set():
            try:
                return self._presses.get(timeout=0.1)
            except queue.Empty:
                if self._gate_has_fallen_silent():
                    return Press.STOPPED
                if deadline is not None and steady_s() > deadline:
                    return Press.TIME_UP
        raise VitalError(ErrorCode.CANCELLED, "stopped")

    def _gate_has_fallen_silent(self) -> bool:
        """Once for each silence, which is said."""
        before, lost = self._gate_silent, self._skills.watch.lost()
        self._gate_silent = lost is not None
        if lost is None or before:
            return False
        self.get_logger().error(str(lost))
        return True

    def _forget_presses(self) -> None:
        """Only what was pressed from now on counts, but for FINISH."""
        pressed = []
        while not self._presses.empty():
            pressed.append(self._presses.get_nowait())
        if Press.FINISH in pressed:
            self._presses.put(Press.FINISH)

    def tell(self, phase: Phase, attempt: int, seed: int, message: str) -> None:
        """Publish where the session stands; the operator reads it in the terminal too."""
        state = SessionState(header=Header(stamp=self.get_clock().now().to_msg()))
        state.phase, state.task, state.attempt = PHASES[phase], self.task.name, attempt
        state.seed = seed if self._simulated else -1
        state.episodes_saved, state.episodes_wanted = self.tally.saved, self.tally.wanted
        state.message = message
        self._state.publish(state)
        if phase in (Phase.READY, Phase.SAVING):
            self.get_logger().info(f"[{self.tally.saved + 1}/{self.tally.wanted}] {message}")


def run_session(node: RecordSession, stopping: threading.Event) -> int:
    """The whole session; the exit code."""
    node.wait_for_parts(stopping)
    episode_s = 1.5 * node.task.episode_s
    session = DemoSession(node, node.tally, node.tell, episode_s=episode_s, first_seed=node.first_seed)
    try:
        session.run()
    finally:
        node.get_logger().info(node.tally.line())
    return EXIT_OK


def main() -> None:
    """Entry point."""
    run_client(RecordSession, run_session, "record_session")


if __name__ == "__main__":
    main()
