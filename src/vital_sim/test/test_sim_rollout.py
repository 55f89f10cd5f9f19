"""Runs of scripted controllers in a world without physics, and the instruments of validation on made-up numbers."""

import mujoco
import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.task import load_task
from vital_sim.demonstrator.rollout import PERIOD_S, Command, run
from vital_sim.validation import validity
from vital_sim.validation.blind import APPROACH_M_S, TURN_RAD_S, BlindController
from vital_sim.validation.instruments import DeepestPenetration, discriminant, score_touches
from vital_sim.world.fixtures import fixture_for
from vital_sim.world.motion import COMMAND_PERIOD_S, follow, track, way_to
from vital_sim.world.truth import Truth

HOME = pose_of.point_down([0.45, 0.0, 0.2])


class Follows:
    """A world in which the TCP is where it was sent; notes what it was told."""

    def __init__(self, task="usb_insertion"):
        self.task = load_task(task)
        self.fixture = fixture_for(self.task.held_object)
        self.time_s, self.joints, self.gripped = 0.0, [], []
        self._target = pose_of.from_vector((0.45, 0.0, 0.035), (0.0, 0.0, 0.1))
        self.commanded_joints = self._solve(HOME)
        self.force_n = iter([0.0] * 10_000)

    @staticmethod
    def _solve(pose):
        return kinematics.solve(pose, HOME_RAD, posture_rad=HOME_RAD)

    def command_joints(self, joints_rad):
        self.commanded_joints = np.array(joints_rad)
        self.joints.append(self.commanded_joints)

    def command_gripper(self, closed):
        self.gripped.append(closed)

    def advance(self, seconds):
        self.time_s += seconds

    def t_base_tcp(self):
        return kinematics.forward(self.commanded_joints)

    def t_tcp_tip_at_rest(self):
        return pose_of.from_vector((0, 0, self.task.tip_offset_m), np.zeros(3))

    def truth(self):
        tcp = self.t_base_tcp()
        tip = tcp @ self.t_tcp_tip_at_rest()
        inside = (pose_of.inverse(self._target) @ tip)[:3, 3]
        force_n = next(self.force_n)
        lateral_m = float(np.hypot(*inside[:2]))
        return Truth(False, -inside[2], lateral_m, 0.0, force_n, force_n / 1e6, self._target, tip, tcp, np.eye(4))


class Still:
    """Commands the same place a number of times."""

    def __init__(self, target, times=10**9):
        self.target, self.left = target, times

    @property
    def done(self):
        return self.left <= 0

    def command(self):
        self.left -= 1
        return Command(self.target, self.target, self.target, 0.25)


def test_run_ends_when_the_controller_is_done():
    world = Follows()
    trial = run(world, Still(HOME, times=6))
    assert trial.duration_s == pytest.approx(6 * PERIOD_S) and world.gripped == [0.25] * 6


def test_run_ends_when_the_time_is_up():
    trial = run(Follows(), Still(HOME), limit_s=1.0)
    assert trial.duration_s == pytest.approx(1.0, abs=PERIOD_S) and not trial.success


def test_run_remembers_the_greatest_force_and_penetration():
    world = Follows()
    world.force_n = iter([0.0, 3.0, 9.0, 2.0, 1.0])
    trial = run(world, Still(HOME, times=4))
    assert (trial.force_n, trial.deepest_m) == (9.0, pytest.approx(9e-6))


def test_motion_reaches_its_target_straight_and_evenly():
    world = Follows()
    goal = HOME @ pose_of.from_vector((0.01, -0.02, 0.03), (0.0, 0.05, 0.1))
    assert track(world, goal, 1 / 6)
    assert world.time_s == pytest.approx(1 / 6) and len(world.joints) == round(1 / 6 / COMMAND_PERIOD_S)
    distance_m, angle_rad = pose_of.distance(world.t_base_tcp(), goal)
    assert distance_m < 1e-6 and angle_rad < 1e-6
    steps = np.linalg.norm(np.diff(np.array(world.joints), axis=0), axis=1)
    assert steps.max() < 1.5 * steps.mean()


def test_way_starts_at_the_commanded_joints_and_stays_on_the_line():
    world = Follows()
    goal = HOME @ pose_of.from_vector((0.03, 0.0, 0.0), np.zeros(3))
    way = way_to(world, goal, 1 / 6)
    np.testing.assert_array_equal(way[0], world.commanded_joints)
    for joints in way:
        follow(world, np.stack([joints, joints]), 0.01)
        position = pose_of.inverse(HOME) @ world.t_base_tcp()
        assert np.abs(position[1:3, 3]).max() < 1e-5


def test_target_out_of_reach_passes_the_time_without_a_command():
    world = Follows()
    assert way_to(world, pose_of.point_down([2.0, 0, 0.2]), 0.1) is None
    assert not track(world, pose_of.point_down([2.0, 0, 0.2]), 0.1)
    assert world.time_s == pytest.approx(0.1) and world.joints == []


@pytest.mark.parametrize("task", ["usb_insertion", "card_swipe", "pick_block"])
def test_blind_controller_goes_its_way_at_its_speeds_and_ends(task):
    world = Follows(task)
    blind, at, steps = BlindController(world), world.t_base_tcp(), 0
    grips = []
    while not blind.done and steps < 2000:
        command = blind.command()
        step_m, turn_rad = pose_of.distance(at, command.target)
        assert step_m <= APPROACH_M_S * PERIOD_S + 1e-9 and turn_rad <= TURN_RAD_S * PERIOD_S + 1e-6
        at, steps = command.target, steps + 1
        grips.append(command.gripper)
    assert blind.done
    assert grips[0] == (0.0 if task == "pick_block" else 1.0) and grips[-1] == 1.0


def test_blind_controller_does_not_look_at_how_the_object_lies_in_the_hand():
    world, other = Follows(), Follows()
    other.t_tcp_tip_at_rest = lambda: pose_of.from_vector((0.002, 0.001, 0.035), (0.05, 0, 0))
    blind, twin = BlindController(world), BlindController(other)
    for _ in range(30):
        np.testing.assert_array_equal(blind.command().target, twin.command().target)


def test_discriminant_tells_separated_classes_apart_and_guesses_at_equal_ones():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    centres = 8.0 * rng.standard_normal((4, 6))
    apart = centres[labels] + rng.standard_normal((400, 6))
    predict = discriminant(apart[:300], labels[:300])
    assert (predict(apart[300:]) == labels[300:]).mean() > 0.98
    noise = rng.standard_normal((400, 6))
    guess = discriminant(noise[:300], labels[:300])
    assert (guess(noise[300:]) == labels[300:]).mean() < 0.5


def test_touches_are_scored_on_those_that_were_held_out():
    rng = np.random.default_rng(1)
    sides = [int(s) for s in rng.integers(2, size=30)]
    touches = [(10.0 * side + rng.standard_normal(15), side) for side in sides]
    score = score_touches(touches, train=20)
    assert (score.correct, score.trials) == (10, 10)
    wrong = [(reading, 1 - side) for reading, side in touches[20:]]
    assert score_touches([*touches[:20], *wrong], train=20).correct == 0


def test_penetration_is_watched_inside_the_block_alone():
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><geom type='plane' size='1 1 1'/><body pos='0 0 0.049'><freejoint/>"
        "<geom size='0.05' mass='1'/></body></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    with DeepestPenetration() as deepest:
        mujoco.mj_step(model, data, nstep=5)
    seen_m = deepest.metres
    assert 0.0 < seen_m <= 0.0011
    data.qpos[2] = 0.02
    mujoco.mj_step(model, data, nstep=3)
    assert deepest.metres == seen_m


@pytest.mark.parametrize(
    ("successes", "least", "most", "passed"),
    [
        (95, 0.95, None, True),
        (94, 0.95, None, False),
        (40, None, 0.4, True),
        (41, None, 0.4, False),
        (0, None, None, True),
    ],
)
def test_counted_figure_is_held_against_its_requirement(successes, least, most, passed):
    check = validity._counted("x", successes, 100, least, most)
    assert check.passed == passed and check.interval[0] <= successes / 100 <= check.interval[1]


def test_halved_time_step_may_change_few_outcomes():
    task = load_task("usb_insertion")
    coarse = validity.Rates(0.0005, {"expert": [True] * 20, "blind": [False] * 20}, 5e-5, {})
    for flipped, passed in ((1, True), (2, False)):
        outcomes = {"expert": [False] * flipped + [True] * (20 - flipped), "blind": [False] * 20}
        checks = validity._rate_checks(task, coarse, validity.Rates(0.00025, outcomes, 5e-5, {}))
        by_name = {check.name: check for check in checks}
        assert by_name["expert: halved time step"].passed == passed
        assert by_name["blind: halved time step"].passed and by_name["penetration, deepest at all"].passed


def test_blind_success_fails_an_insertion_but_not_a_pick():
    rates = validity.Rates(0.0005, {"blind": [True] * 20}, 5e-5, {})
    for task, passed in (("usb_insertion", False), ("pick_block", True)):
        checks = validity._rate_checks(load_task(task), rates, validity.Rates(0.00025, {}, 0.0, {}))
        assert next(c for c in checks if c.name == "blind succeeds").passed == passed


@pytest.mark.parametrize("trials", ["0", "-3"])
def test_validation_of_no_trials_is_refused(trials, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["validate", "--trials", trials])
    with pytest.raises(SystemExit) as left:
        validity.main()
    assert left.value.code == 2 and "expected at least 1" in capsys.readouterr().err
