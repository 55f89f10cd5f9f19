"""How far replay and learner are, for the session that feeds them."""

from rclpy.node import Node

from vital_core.clock import steady_s
from vital_interfaces.msg import LearnerState, ReplayState, ResidualWeights
from vital_ros.boundary import subscribe
from vital_ros.qos import LATCHED


class LearningWatch:
    """Keeps the newest that replay and learner say of themselves."""

    def __init__(self, node: Node) -> None:
        self._replay: ReplayState | None = None
        self._learner: LearnerState | None = None
        self._weights_s: float | None = None
        subscribe(node, ReplayState, "/vital/replay_state", self._on_replay, LATCHED)
        subscribe(node, LearnerState, "/vital/learner_state", self._on_learner, 10)
        subscribe(node, ResidualWeights, "/vital/residual_weights", self._on_weights, LATCHED)

    def _on_replay(self, message: ReplayState) -> None:
        self._replay = message

    def _on_learner(self, message: LearnerState) -> None:
        self._learner = message

    def _on_weights(self, _message: ResidualWeights) -> None:
        self._weights_s = steady_s()

    def missing(self) -> list[str]:
        """What has not been heard yet."""
        missing = [] if self._replay is not None else ["the replay's state"]
        if self._weights_s is None:
            doing = self._learner.message if self._learner is not None else ""
            missing.append(f"the learner's weights ({doing})" if doing else "the learner's weights")
        return missing

    @property
    def steps(self) -> int:
        """Environment steps that were labelled so far."""
        return 0 if self._replay is None else int(self._replay.steps_ever)

    @property
    def episodes(self) -> int:
        """Episodes in the replay."""
        return 0 if self._replay is None else int(self._replay.episodes)

    @property
    def updates(self) -> int:
        """Updates that the learner has made."""
        return 0 if self._learner is None else int(self._learner.updates)

    @property
    def updates_owed(self) -> int:
        """Updates that the learner has not come to yet. Steps that it has not read count as those that it has; before
        the first of them, one each."""
        if self._learner is None:
            return 0
        owed, read = int(self._learner.owed), int(self._learner.steps)
        a_step = (owed + int(self._learner.updates)) // read if read else 1
        return owed + a_step * max(0, self.steps - read)

    @property
    def weights_age_s(self) -> float:
        """Since weights last came; NaN before the first."""
        return float("nan") if self._weights_s is None else steady_s() - self._weights_s
