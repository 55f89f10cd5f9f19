"""Whether the arm has done what it was sent last: one that acts late is waited for.

A residual answers to what is seen. Where an action is carried out some control periods after it was chosen, those
chosen meanwhile answer to the same error once more, and the hand is pushed aside and pressed down several times as far
as was meant. An action that waits until the one before it is done meets what it would meet on a prompt arm, only later.

How late an arm is nobody says; its joints tell, from an episode's first motions on, before anything is touched.
"""

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.observation import Action
from vital_core.pose import Pose

MOST_TICKS = 6
"""The latest arm that is told from one that does not move."""
TELLING_SHARE = 0.5
"""Of the largest motion sent of late: one that is seen and is shorter is the rest of one, or of one that is held up."""
LEAST_M = 2e-4
"""Shorter ones tell nothing."""
LEVER_M = 0.05
"""From the TCP to what is held: by so much turning weighs beside moving."""

Motion = NDArray[np.float64]  # (6,) m


class ArmPace:
    """Asked with `ready` at every tick, and told with `sent` what followed where it was; one an episode.

    Every motion that is seen is compared with those that were sent 0 to `MOST_TICKS` periods before the last one. What
    an arm does not do tells nothing: it may be held by what it touches.
    """

    def __init__(self) -> None:
        self._left_m2 = np.zeros(MOST_TICKS + 1)
        self._told, self._passed = False, 0
        self._sent: list[Motion] = []  # newest first, one a tick
        self._before: Pose | None = None
        self._forget_motions()

    @property
    def late_ticks(self) -> int:
        """How many control periods after a prompt arm this one acts; the most, while none of its motions has told."""
        if self._told:
            return int(np.argmin(self._left_m2))
        return MOST_TICKS if self._largest_sent_m() > LEAST_M else 0

    def ready(self, t_base_tcp: Pose | None) -> bool:
        """Whether the last action is done, as far as it will be. ``t_base_tcp``: where the arm is measured to be; None,
        and it is taken for prompt."""
        before, self._before = self._before, t_base_tcp
        if before is None or t_base_tcp is None:
            self._forget_motions()
            return True
        seen = _motion(pose_of.to_vector(pose_of.inverse(before) @ t_base_tcp))
        if np.linalg.norm(seen) > max(LEAST_M, TELLING_SHARE * self._largest_sent_m()):
            self._left_m2 += ((np.stack(self._sent) - seen) ** 2).sum(axis=1)
            self._told = True
        self._sent = [np.zeros(6), *self._sent[:-1]]
        self._passed += 1
        return self._passed > self.late_ticks

    def sent(self, action: Action) -> None:
        """The action of this tick."""
        self._sent[0] = _motion(np.append(action.translation_m, action.rotation_rad))
        self._passed = 0

    def interrupted(self) -> None:
        """Somebody else moves the arm: what follows are no motions of ours. How late it is stays known."""
        self._before = None
        self._forget_motions()

    def _forget_motions(self) -> None:
        self._sent, self._passed = [np.zeros(6)] * (MOST_TICKS + 1), MOST_TICKS + 1

    def _largest_sent_m(self) -> float:
        return float(np.linalg.norm(self._sent, axis=1).max())


def _motion(values: NDArray[np.float64]) -> Motion:
    """Of a translation (m) and a rotation vector (rad)."""
    return np.append(values[:3], LEVER_M * values[3:6])
