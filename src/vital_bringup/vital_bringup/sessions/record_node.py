"""Runs a session of demonstrations over the system: scene, start pose, the operator shows it, saved.

Exit code 0 when the session came to its end (all episodes, or the operator's FINISH), 1 on a fault, 2 when
something that was asked for does not exist.
"""

import threading

from std_msgs.msg import Header

from vital_bringup.sessions import operator_hand
from vital_bringup.sessions.buttons import Press
from vital_bringup.sessions.demo_session import DemoSession, Outcome, Phase, Saved, Tally
from vital_bringup.sessions.operator_hand import OperatorHand
from vital_bringup.sessions.operator_session import OperatorSession
from vital_bringup.sessions.session_messages import DEMO_PHASES, OUTCOMES
from vital_bringup.sessions.session_parameters import RecordParameters
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.owner import Owner
from vital_core.stall import wait_out_a_stall
from vital_interfaces.msg import GateState, SessionState
from vital_interfaces.srv import FinishEpisode, StartEpisode, TakeBaseline
from vital_ros.calls import call, checked
from vital_ros.diagnostics import OK, Health
from vital_ros.process.client_main import run_client, wait_until_ready
from vital_ros.qos import LATCHED

EXIT_OK = 0
RELEASE_TIMEOUT_S = 15.0
SAVE_S = 60.0
LAY_THE_SCENE = "lay the scene with the held object in the hand, step back, then press START"


class RecordSession(OperatorSession[RecordParameters]):
    """The parts of the system that a session needs, and where it stands; see `demo_session.Parts`."""

    def __init__(self) -> None:
        super().__init__("record_session", RecordParameters)
        self.tally = Tally(self.parameters.episodes or self.task.demonstrations)
        self._latched = self._gate_silent = False
        self._hand = OperatorHand(self, lambda: self.buttons.put(Press.STOPPED))
        self._state = self.create_publisher(SessionState, "/vital/session_state", LATCHED)
        self._start = self.create_client(StartEpisode, "/vital/record/start")
        self._finish = self.create_client(FinishEpisode, "/vital/record/finish")
        self._baseline = self.create_client(TakeBaseline, "/anyskin/take_baseline")
        self.parts = {"recorder": self._start, "touch": self._baseline}

    def health(self) -> Health:
        """As in `SessionClient`."""
        return Health(OK, self.tally.line())

    def on_gate(self, state: GateState) -> None:
        """As in `SessionClient`."""
        latched = state.mode == GateState.LATCHED
        if latched and not self._latched:
            self.buttons.put(Press.STOPPED)
        self._latched = latched

    def missing(self) -> list[str]:
        """As in `SessionClient`."""
        return [*super().missing(), *self._hand.missing()]

    def wait_for_parts(self, stopping: threading.Event) -> None:
        """As in `SessionClient`; and then for the operator's device, which takes a person's time."""
        self.stopping = stopping
        self.tell(Phase.PREPARING, 0, self.parameters.seed, "waiting for every part to answer")
        wait_until_ready(self, super().missing, stopping, self.parameters.start_timeout_s)
        if self._hand.missing():
            self.get_logger().info(operator_hand.WANTED)
            self.tell(Phase.PREPARING, 0, self.parameters.seed, operator_hand.WANTED)
        wait_until_ready(self, self.missing, stopping, operator_hand.PATIENCE_S)

    def interrupted(self) -> bool:
        """Once for each silence of the gate, which is said."""
        was_silent, lost = self._gate_silent, self.watch.lost()
        self._gate_silent = lost is not None
        if lost is None or was_silent:
            return False
        self.get_logger().error(str(lost))
        return True

    def prepare(self, seed: int) -> None:
        """As in `demo_session.Parts`."""
        self._wait_until_released()
        if self.parameters.simulated:
            self.lay_scene(seed, "record in simulation")
        else:
            self.wait_for_scene(LAY_THE_SCENE)
        self.reach_start(seed)
        wait_out_a_stall(lambda: checked(call(self._baseline, TakeBaseline.Request())), self.stopping.is_set)
        self.buttons.forget()

    def _wait_until_released(self) -> None:
        deadline_s = steady_s() + RELEASE_TIMEOUT_S
        while (gate := self.watch.state) is not None and gate.owner == Owner.TELEOP:
            if self.stopping.wait(0.05):
                raise VitalError(ErrorCode.CANCELLED, "stopped")
            if steady_s() > deadline_s:
                raise VitalError(ErrorCode.NOT_OWNER, "the operator still holds the arm: open the clutch")

    def _told_seed(self, seed: int) -> int:
        return seed if self.parameters.simulated else -1

    def start_recording(self, seed: int) -> int:
        """As in `demo_session.Parts`."""
        request = StartEpisode.Request(task=self.task.name, device=self._hand.device, seed=self._told_seed(seed))
        request.operator_name = self.parameters.operator
        return checked(call(self._start, request)).episode

    def finish_recording(self, outcome: Outcome, note: str) -> Saved:
        """As in `demo_session.Parts`."""
        request = FinishEpisode.Request(outcome=OUTCOMES[outcome], note=note)
        answer = checked(call(self._finish, request, timeout_s=SAVE_S))
        return Saved(answer.episode, answer.frames, tuple(answer.faults))

    def tell(self, phase: Phase, attempt: int, seed: int, message: str) -> None:
        """Publish where the session stands; the operator reads it in the terminal too."""
        state = SessionState(header=Header(stamp=self.get_clock().now().to_msg()))
        state.phase, state.task, state.attempt = DEMO_PHASES[phase], self.task.name, attempt
        state.seed, state.message = self._told_seed(seed), message
        state.episodes_saved, state.episodes_wanted = self.tally.saved, self.tally.wanted
        self._state.publish(state)
        if phase in (Phase.READY, Phase.SAVING):
            self.get_logger().info(f"[{self.tally.saved + 1}/{self.tally.wanted}] {message}")


def run_session(node: RecordSession, stopping: threading.Event) -> int:
    """The whole session; the exit code."""
    node.wait_for_parts(stopping)
    episode_s = 1.5 * node.task.episode_s
    session = DemoSession(node, node.tally, node.tell, episode_s=episode_s, first_seed=node.parameters.seed)
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
