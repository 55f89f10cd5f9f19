"""The scripted demonstrator: it knows what a policy does not, and errs as a person would when it is asked to."""

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_core.task import Task
from vital_sim.demonstrator.disturbance import InjectedNoise, Strays
from vital_sim.demonstrator.laws import InsertLaw, Law, PickLaw, SwipeLaw
from vital_sim.demonstrator.rollout import PERIOD_S, Command, View
from vital_sim.demonstrator.style import INTENTION, Phase, Style, human_style
from vital_sim.world.boxes import Target
from vital_sim.world.fixtures import Block, CardReader, Connector
from vital_sim.world.truth import Truth

POLICY_PERIOD_S = 1.0 / 6.0
TOUCHED_N = 1.0


def law_for(task: Task, fixture: Target) -> Law:
    """The law of a task's skill."""
    if isinstance(fixture, Block):
        return PickLaw(task, fixture.size_m[2])
    if isinstance(fixture, CardReader):
        entry_m, flare_m, slot_depth_m = fixture.entry_m, fixture.flare_m, fixture.slot_m[2]
        return SwipeLaw(task, entry_m=entry_m, flare_m=flare_m, slot_depth_m=slot_depth_m)
    assert isinstance(fixture, Connector)
    return InsertLaw(task, fixture.engaged_m)


class _Drift:
    """A smooth random vector: sums of slow sines, of about unit size."""

    def __init__(self, rng: np.random.Generator, size: int, rate_hz: float) -> None:
        self._rates = 2 * np.pi * rate_hz * rng.uniform(0.4, 1.6, (size, 3))
        self._phases = rng.uniform(0, 2 * np.pi, (size, 3))
        self._weights = rng.normal(0, 0.8, (size, 3)) / np.sqrt(1.5)

    def __call__(self, t_s: float) -> NDArray[np.float64]:
        return (self._weights * np.sin(self._rates * t_s + self._phases)).sum(axis=1)


class ScriptedExpert:
    """Does the task, knowing the target, the in-hand offset and the contact force.

    A feedback law on the true state: every command follows from where the tip is now relative to the opening.
    ``human_like`` adds a drifting misjudgement that touch resolves, a random pace, and a light search on the
    rim, so that demonstrations visit and leave the states that a learner meets; ``noise`` and ``strays`` more of them.
    """

    def __init__(
        self,
        view: View,
        rng: np.random.Generator | None = None,
        *,
        human_like: bool = False,
        noise: float = 0.0,
        strays: int = 0,
        stray_turn_rad: float = 0.0,
    ) -> None:
        self._view = view
        rng = rng or np.random.default_rng(0)
        self.style = human_style(rng) if human_like else Style()
        self._intention = INTENTION if human_like else Style()
        self._drift = _Drift(rng, 5, self.style.error_hz)
        self._law = law_for(view.task, view.fixture)
        self._noise = InjectedNoise(rng, noise)
        self._strays = Strays(rng, strays, stray_turn_rad, self._law.along)
        self._certainty_s = 0.0
        self._time_s = 0.0
        self._tcp = view.t_base_tcp()

    @property
    def phase(self) -> Phase:
        """What it is doing."""
        return self._law.phase

    @property
    def done(self) -> bool:
        """Whether the task has been done and stayed so."""
        return self._law.phase is Phase.DONE

    def command(self) -> Command:
        """The next 30 Hz command, from the true state."""
        truth = self._view.truth()
        self._law.update(truth, PERIOD_S)
        if truth.contact_force_n > TOUCHED_N and self._view.task.starts_closed:
            self._certainty_s += PERIOD_S
        twist = self._law.twist(self.style, truth, self._misjudgement())
        demonstrated = self._moved(truth, twist, POLICY_PERIOD_S)
        for disturbing in (self._noise, self._strays):
            disturbed = disturbing.twist(self._time_s, self._law.way_m(truth), self._law.phase)
            twist = twist + self._law.free * disturbed
        intended = self._moved(truth, self._law.twist(self._intention, truth, np.zeros(5)), POLICY_PERIOD_S)
        self._tcp = self._moved(truth, twist, PERIOD_S)
        self._time_s += PERIOD_S
        return Command(self._tcp, intended, demonstrated, self._law.gripper)

    def _misjudgement(self) -> NDArray[np.float64]:
        """(5,) lateral error in m, tilt error in rad, force error in N; touch, and time, make it go away."""
        style, late = self.style, np.exp(-max(0.0, self._time_s - 7.0) / 1.5)
        seen, felt = np.exp(-self._certainty_s / 0.5), np.exp(-self._certainty_s / 2.0)
        size = np.array([seen * style.error_m] * 2 + [seen * style.error_rad] * 2 + [felt * style.error_n])
        return late * size * self._drift(self._time_s)

    def _moved(self, truth: Truth, twist: NDArray[np.float64], seconds: float) -> Pose:
        """The commanded TCP pose after the tip has moved with ``twist`` (target frame) for ``seconds``."""
        rotation = truth.t_base_target[:3, :3]
        t_tcp_tip = self._view.t_tcp_tip_at_rest()
        tip = self._tcp @ t_tcp_tip
        moved = tip.copy()
        moved[:3, 3] += rotation @ twist[:3] * seconds
        turn = pose_of.from_vector(np.zeros(3), rotation @ twist[3:] * seconds)
        moved[:3, :3] = turn[:3, :3] @ tip[:3, :3]
        return moved @ pose_of.inverse(t_tcp_tip)
