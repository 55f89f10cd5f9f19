"""Runs a residual training over the system: scene, start pose, the policy acts, the label; until the steps are done.

Exit code 0 when it came to its end (all steps, or the operator's FINISH), 1 on a fault, 2 when something that was asked
for does not exist.
"""

import math
import threading

from std_msgs.msg import Header

from vital_bringup.sessions.buttons import LABELS, Press
from vital_bringup.sessions.learning_watch import LearningWatch
from vital_bringup.sessions.operator_session import WHO_PRESSED_START, OperatorSession
from vital_bringup.sessions.session_messages import TRAINING_PHASES
from vital_bringup.sessions.session_parameters import TrainParameters
from vital_bringup.sessions.training_session import Phase, Played, Progress, TrainingSession
from vital_bringup.tasks.task_run import Located
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.labeller import Labeller
from vital_interfaces.msg import TrainingState
from vital_interfaces.srv import LabelEpisode
from vital_ros.calls import call
from vital_ros.diagnostics import OK, Health
from vital_ros.process.client_main import run_client
from vital_ros.qos import LATCHED

EXIT_OK = 0
WAITING_SAID_EVERY_S = 30.0
LAY_THE_SCENE = "free the held object, lay the scene, step back, then press START"


class TrainingNode(OperatorSession[TrainParameters]):
    """The parts of the system that a training needs, and where it stands; see `training_session.TrainingParts`."""

    def __init__(self) -> None:
        super().__init__("residual_training", TrainParameters)
        self.progress = Progress(self.parameters.steps)
        self.learning = LearningWatch(self)
        self._located: Located | None = None
        self._waiting_said_s = -math.inf
        self._state = self.create_publisher(TrainingState, "/vital/training_state", LATCHED)
        self._label = self.create_client(LabelEpisode, "/vital/label_episode")
        self.parts = {"replay": self._label}

    def health(self) -> Health:
        """As in `SessionClient`."""
        return Health(OK, f"{self.progress.labelled} episodes", {"steps": self.steps()})

    def missing(self) -> list[str]:
        """As in `SessionClient`."""
        return [*super().missing(), *self.skills.missing_policy(), *self.learning.missing()]

    def prepare(self, seed: int) -> None:
        """As in `TrainingParts`."""
        if self.parameters.simulated:
            self.lay_scene(seed, "training in simulation")
        else:
            self.wait_for_scene(LAY_THE_SCENE)
            self.clear_stop(WHO_PRESSED_START)
        self._located = self.reach_start(seed)

    def play(self, seed: int) -> Played:
        """As in `TrainingParts`."""
        pressed: list[bool] = []

        def is_over() -> bool:
            pressed.extend(self.buttons.take_labels())
            return bool(pressed) or self.skills.label.given()

        assert self._located is not None, "`prepare` comes first"
        result = self.skills.learn(self.task.name, seed, self._located, is_over)
        success = pressed[0] if pressed else True if self.skills.label.given() else None
        if success is None and self.parameters.who_labels is Labeller.SIM_TRUTH:
            success = False
        code = ErrorCode.told(result.error_code, ErrorCode.INTERNAL if result.error_code else ErrorCode.OK)
        return Played(result.replay_episode, success, code, result.message, result.interventions)

    def ask(self) -> bool | None:
        """As in `TrainingParts`."""
        while (press := self.wait_for_press(None)) not in (*LABELS, Press.REDO):
            if press is Press.FINISH:
                self.buttons.put(press)
                return None
        return LABELS.get(press)

    def label(self, episode: int, success: bool) -> None:
        """As in `TrainingParts`."""
        source = str(self.parameters.who_labels)
        answer = call(self._label, LabelEpisode.Request(episode=episode, succeeded=success, source=source))
        if not answer.success:
            raise VitalError(ErrorCode.told(answer.error_code, ErrorCode.INTERNAL), f"label: {answer.verdict}")

    def say_progress(self, episode: int, success: bool) -> None:
        """As in `TrainingParts`."""
        self.get_logger().info(
            f"episode {episode:4d}  {'success' if success else 'failure'}  last 20: "
            f"{100 * self.progress.success_20:3.0f} %  step {self.steps()} / {self.progress.wanted_steps}  "
            f"{self.learning.updates} updates  weights {self.learning.weights_age_s:.0f} s old"
        )

    def updates_owed(self) -> int:
        """As in `TrainingParts`."""
        return self.learning.updates_owed

    def steps(self) -> int:
        """As in `TrainingParts`."""
        return self.learning.steps

    def tell(self, phase: Phase, seed: int, episode: int, message: str) -> None:
        """Publish where the training stands; what the operator is asked for is said in the terminal too."""
        state = TrainingState(header=Header(stamp=self.get_clock().now().to_msg()))
        state.phase, state.task, state.message = TRAINING_PHASES[phase], self.task.name, message
        state.attempt, state.seed, state.episode = self.progress.attempts, seed, episode
        state.steps, state.steps_wanted = self.steps(), self.progress.wanted_steps
        state.success_20, state.weights_age_s = self.progress.success_20, self.learning.weights_age_s
        state.updates = self.learning.updates
        self._state.publish(state)
        if phase is Phase.WAITING and steady_s() - self._waiting_said_s > WAITING_SAID_EVERY_S:
            self._waiting_said_s = steady_s()
            self.get_logger().info(message)
        if phase in (Phase.LABELLING, Phase.PAUSED, Phase.FINISHED):
            self.get_logger().info(message)


def run_training(node: TrainingNode, stopping: threading.Event) -> int:
    """The whole training; the exit code. One that is gone on with meets new scenes."""
    node.wait_for_parts(stopping)
    seed = node.parameters.seed + node.learning.episodes
    TrainingSession(node, node.progress, node.tell, first_seed=seed).run()
    return EXIT_OK


def main() -> None:
    """Entry point."""
    run_client(TrainingNode, run_training, "residual_training")


if __name__ == "__main__":
    main()
