"""A session that an operator leads with buttons: localisation and reach bring the arm to a start pose, then it acts."""

from dataclasses import replace

from vital_bringup.sessions.buttons import Buttons, Press
from vital_bringup.sessions.session_client import Parameters, SessionClient
from vital_bringup.sessions.session_messages import PRESSES
from vital_bringup.tasks.ros_skills import RosSkills
from vital_bringup.tasks.task_run import Located
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.msg import TeleopEvent
from vital_ros.boundary import subscribe
from vital_ros.gate_watch import BEAT_S

WHO_PRESSED_START = "whoever pressed START"


class OperatorSession(SessionClient[Parameters]):
    """What record and train have in common."""

    def __init__(self, name: str, parameters: type[Parameters]) -> None:
        super().__init__(name, parameters)
        self.buttons = Buttons()
        self.skills = RosSkills(self, self.parameters.who_labels, self.watch, self._is_stopping)
        subscribe(self, TeleopEvent, "/vital/teleop_event", self._on_event, 10)

    def _is_stopping(self) -> bool:
        return self.stopping.is_set()

    def _on_event(self, message: TeleopEvent) -> None:
        if message.kind in PRESSES:
            self.buttons.put(PRESSES[message.kind])

    def missing(self) -> list[str]:
        """As in `SessionClient`."""
        gate = [] if self.watch.knows_the_arm else ["command gate with joint states"]
        return [*super().missing(), *gate, *self.skills.missing()]

    def whole_again(self, error: VitalError) -> bool:
        """Say the ``error`` (NODE_LOST), and whether what did not answer does so after a while."""
        self.get_logger().error(str(error))
        return self.becomes_whole()

    def wait_for_press(self, timeout_s: float | None) -> Press:
        """The next button; TIME_UP after ``timeout_s``. Raises VitalError(CANCELLED) when the session is stopped."""
        return self.buttons.wait(timeout_s, stopped=self.stopping.is_set, interrupted=self.interrupted)

    def interrupted(self) -> bool:
        """Whether something else than a button says STOPPED."""
        return False

    def wait_for_scene(self, what_to_do: str) -> None:
        """A real scene is laid by hand, and the arm moves only when a person has said that hands are off."""
        self.get_logger().info(what_to_do)
        self.buttons.wait_for_start(stopped=self.stopping.is_set, interrupted=self.interrupted)

    def wait_for_clearance(self) -> None:
        """As in `SessionClient`, and whoever presses START after the STOP has looked at the arm, too.

        Raises VitalError(CANCELLED) on FINISH, or when the session is stopped.
        """
        if not (reason := self.watch.stopped_by):
            return
        self.buttons.forget()
        self.get_logger().warning(f"stopped ({reason}): look at the arm, then press START, or /vital/clear_stop")
        while self.watch.stopped_by:
            press = self.wait_for_press(BEAT_S)
            if press is Press.FINISH:
                raise VitalError(ErrorCode.CANCELLED, "finished by the operator")
            if press is Press.START:
                self._clear_as_who_pressed_start()

    def _clear_as_who_pressed_start(self) -> None:
        try:
            self.clear_stop(WHO_PRESSED_START)
        except VitalError as error:
            self.get_logger().warning(f"the stop stays: {error}")

    def reach_start(self, seed: int) -> Located:
        """Bring the arm to a start pose; where the target was found, turned as the hand now is. Raises VitalError."""
        located = self.skills.localize(self.task.prompt, self.task.name)
        reached = self.skills.reach(self.task.name, located, seed)
        return replace(located, target=located.target.turned(reached.yaw_rad))
