"""What acting promises beside its nodes: whose step is stored as what, which weights are taken, what messages tell."""

import dataclasses
import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import rclpy
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rclpy.context import Context
from rclpy.time import Time
from slide import still

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import Action
from vital_core.owner import Owner
from vital_core.task import load_task
from vital_interfaces.action import RunPolicy
from vital_interfaces.msg import ResidualWeights
from vital_policy.inference import LocalPolicy
from vital_rl.acting import policy_messages
from vital_rl.acting.episode import EpisodeEnd, TickTimes
from vital_rl.acting.learning_episode import LearningEpisode, Rollout
from vital_rl.acting.policy_parameters import PolicyParameters
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.acting.run_goal import episode_length_s
from vital_rl.acting.tick import EpisodeFigures, PolicyTick, Readings, TickResult
from vital_rl.acting.weights_inbox import WeightsInbox
from vital_rl.learner.learner_parameters import LearnerParameters
from vital_rl.replay.replay_parameters import ReplayParameters
from vital_rl.replay.step import ReplayStep
from vital_rl.residual.networks import ActorConfig, Exploration, Noise, ResidualActor
from vital_rl.residual.residual import Residual, to_bytes

IMAGE = np.zeros((128, 128, 3), np.uint8)
HOME = pose_of.point_down((0.45, 0.0, 0.2))
MOTIONS = st.lists(st.floats(-0.02, 0.02), min_size=6, max_size=6).map(np.array)
VERSIONS = 4


@pytest.fixture(scope="module")
def residual(tmp_path_factory) -> tuple[Residual, LocalPolicy]:
    """A drawn residual, and the base policy that it is for."""
    checkpoint = still(tmp_path_factory.mktemp("base"))
    torch.manual_seed(1)
    actor = ResidualActor(ActorConfig(features=checkpoint.feature_size, hidden=4))
    torch.nn.init.normal_(actor.out.weight)
    return Residual.untrained(checkpoint, actor), LocalPolicy(checkpoint)


def step(number: int, owner: str) -> ReplayStep:
    base = np.full(7, 0.001 * number, np.float32)
    return ReplayStep(IMAGE, np.zeros(15, np.float32), base, base, 2 * base, owner, stamp_ns=number)


def moved(pose: pose_of.Pose, motion: np.ndarray) -> pose_of.Pose:
    return pose @ pose_of.from_vector(motion[:3], motion[3:])


@given(st.lists(st.tuples(st.sampled_from([Owner.POLICY, Owner.TELEOP]), MOTIONS), max_size=8))
@settings(max_examples=60, deadline=None)
def test_steps_are_stored_in_their_order_and_a_persons_with_where_the_arm_went(ticks):
    stored: list[ReplayStep] = []
    rollout, pose = Rollout(stored.append), HOME
    for number, (owner, motion) in enumerate(ticks):
        rollout.judged(None)
        rollout.tick(step(number, owner), pose)
        assert len(stored) == number, "a step is complete at the next tick"
        pose = moved(pose, motion)
    rollout.judged(None)
    rollout.end(step(len(ticks), Owner.POLICY), pose)
    assert [s.stamp_ns for s in stored] == list(range(len(ticks) + 1))
    for found, (owner, motion) in zip(stored, ticks, strict=False):
        expected = motion if owner == Owner.TELEOP else 2 * found.base[:6]
        assert found.owner == owner
        np.testing.assert_allclose(found.executed[:6], expected, atol=1e-6)
        if owner == Owner.TELEOP:
            assert found.executed[6] == found.base[6], "the gripper stays the base policy's"


def test_what_the_workspace_box_left_of_a_command_is_what_was_executed():
    stored: list[ReplayStep] = []
    rollout, left_m = Rollout(stored.append), np.array([0.01, 0.0, 0.002])
    rollout.tick(step(1, Owner.POLICY), HOME)
    owners = (Owner.POLICY, Owner.TELEOP, Owner.POLICY)
    for number, (owner, judged_m) in enumerate(zip(owners, (left_m, None, left_m), strict=True), start=2):
        rollout.judged(judged_m)
        rollout.tick(step(number, owner), HOME)
    rollout.judged(left_m)
    rollout.end(step(5, Owner.POLICY), HOME)
    executed = [s.executed for s in stored]
    np.testing.assert_allclose(executed[0], [*left_m, *[0.002] * 4], atol=1e-7)
    np.testing.assert_allclose(executed[1], [0.004] * 7, atol=1e-7)
    np.testing.assert_allclose(executed[2][:6], 0.0, atol=1e-7, err_msg="the arm did not move while a person had it")
    np.testing.assert_allclose(executed[3], [*left_m, *[0.008] * 4], atol=1e-7)
    np.testing.assert_allclose(executed[4], [0.01] * 7, atol=1e-7)


def test_a_persons_step_needs_to_know_where_the_arm_is_and_a_policys_does_not():
    stored: list[ReplayStep] = []
    rollout = Rollout(stored.append)
    rollout.tick(step(0, Owner.POLICY), None)
    rollout.judged(None)
    with pytest.raises(VitalError, match="no joint states come") as refused:
        rollout.tick(step(1, Owner.TELEOP), None)
    assert refused.value.code is ErrorCode.SENSOR_FAULT
    rollout.tick(step(2, Owner.TELEOP), HOME)
    with pytest.raises(VitalError, match="no joint states come"):
        rollout.end(step(3, Owner.POLICY), None)
    assert [s.stamp_ns for s in stored] == [0]


class Kept:
    """An open episode that keeps what it is given."""

    episode = 5

    def __init__(self) -> None:
        self.steps: list[ReplayStep] = []
        self.closed: list[tuple[str, bool]] = []
        self.append = self.steps.append

    def close(self, reason: str, *, terminated: bool) -> None:
        self.closed.append((reason, terminated))


class Seen:
    """An arm that stands somewhere, and images of which the even ones are told."""

    pose: pose_of.Pose | None = HOME

    def t_base_tcp(self) -> pose_of.Pose | None:
        return self.pose

    def foreground(self, stamp_ns: int) -> np.ndarray | None:
        return None if stamp_ns % 2 else np.full((128, 16), stamp_ns, np.uint8)


class Acting:
    """A learning episode with everything around it, ticked by hand."""

    def __init__(self, residual: tuple[Residual, LocalPolicy], finish_m: np.ndarray | None = None) -> None:
        self.kept, self.seen, self.readings = Kept(), Seen(), Readings()
        policy = ResidualPolicy(residual[1], residual[0])
        self.tick = PolicyTick(policy, self.readings, max_age_s=60.0, t_base_tcp=lambda: self.arm)
        self.arm: pose_of.Pose | None = None
        self.noise = Noise(Exploration(first=0.0, last=0.5, steps=5), episode_seed=0, after=3)
        self.episode = LearningEpisode(self.kept, self.tick, self.noise, self.seen, finish_m)
        self.count = 0

    def run(self) -> TickResult:
        self.readings.put_image(IMAGE, 0.0, self.count)
        self.readings.put_tactile(np.full(15, 10.0 * self.count, np.float32), 0.0)
        self.count += 1
        result = self.tick.run()
        self.episode.note(result)
        return result


def test_what_is_stored_is_what_was_seen_answered_and_sent(residual):
    acting = Acting(residual, finish_m=np.array([0.45, 0.01, 0.17]))
    results = [acting.run() for _ in range(3)]
    assert len(acting.kept.steps) == 2, "what became of the third command is known at the next tick"
    acting.episode.finish(EpisodeEnd(True, ErrorCode.OK, "the time is up"))
    for number, (stored, result) in enumerate(zip(acting.kept.steps, results, strict=False)):
        np.testing.assert_array_equal(stored.executed, result.tick.executed)
        np.testing.assert_allclose(stored.base + stored.residual, result.action.to_array(), atol=1e-7)
        assert (stored.stamp_ns, stored.owner, stored.tactile_ut[0]) == (number, Owner.POLICY, 10.0 * number)
        assert (stored.foreground is None) == bool(number % 2)
        assert stored.distance_m == pytest.approx(0.04)
    last = acting.kept.steps[-1]
    assert len(acting.kept.steps) == 4 and not last.residual.any()
    np.testing.assert_array_equal(last.executed, last.base)
    assert acting.kept.closed == [("the time is up", False)] and acting.tick.noise() is None


def test_a_tick_without_a_fit_observation_leaves_no_step(residual):
    acting = Acting(residual)
    acting.episode.note(acting.tick.run())
    assert acting.kept.steps == [] and acting.noise.after == 3
    acting.run()
    acting.episode.note(acting.tick.run(), np.array([0.01, 0.0, 0.0]))
    assert acting.kept.steps[0].executed[0] == np.float32(0.01)
    assert len(acting.kept.steps) == 1 and math.isnan(acting.kept.steps[0].distance_m)


def test_a_late_arm_is_waited_for_and_the_ticks_meanwhile_are_no_steps(residual):
    """The arm carries out at each tick what was sent at the one before the last."""
    acting, sent = Acting(residual), [Action.still()]
    acting.arm, figures = HOME, EpisodeFigures(1.0)
    results = []
    for _ in range(12):
        results.append(acting.run())
        sent.append(results[-1].action)
        acting.arm = acting.arm @ sent[-2].delta_tcp
        figures.note(results[-1], True, 0.0, 0.01)
    assert [result.waited for result in results] == [False, True] * 6 and acting.tick.late_ticks == 1
    assert not any(result.action.translation_m.any() for result in results if result.waited)
    figures.note(results[1], False, 0.0, 0.01)
    assert figures.interventions == 0, "a person came as the arm was waited for: no step tells of it"
    assert figures.waited == 7 and "7 waited for a late arm" in figures.summary(1 / 6)
    assert len(acting.kept.steps) == 6, "a step is what an action came to"
    for stored, result in zip(acting.kept.steps, results[::2], strict=True):
        np.testing.assert_array_equal(stored.executed, result.tick.executed)
    times = TickTimes(started_s=0.0, lateness_s=0.0, inference_s=0.03)
    told = policy_messages.state("usb_insertion", 1, 0, "a" * 64, results[1], times)
    assert told.commanded and not np.any(told.action[:6]) and told.message == "the arm has still to do the last action"
    acting.tick.reset()
    assert not acting.run().waited, "an episode begins without a last action"


def test_a_base_policy_waits_for_no_arm(residual):
    acting = Acting((None, residual[1]))
    acting.arm = HOME
    acting.readings.put_image(IMAGE, 0.0, 0)
    acting.readings.put_tactile(np.zeros(15, np.float32), 0.0)
    assert not any(acting.tick.run().waited for _ in range(3))


def test_nothing_is_explored_while_a_person_has_the_arm_and_the_steps_go_on_counting(residual):
    acting = Acting(residual)
    tried = []
    acting.tick.noise = lambda: tried.append(acting.noise.next()) or tried[-1]
    acting.run()
    acting.episode.owned_by("teleop")
    calm = acting.run()
    acting.episode.owned_by(Owner.POLICY)
    acting.run()
    generator = Exploration().generator(0)
    assert torch.equal(tried[0], 0.3 * torch.randn(7, generator=generator)) and tried[1] is None
    assert torch.equal(tried[2], 0.5 * torch.randn(7, generator=generator)) and acting.noise.after == 6
    z, base = residual[1].predict(IMAGE[None], np.full((1, 15), 10.0, np.float32))[1], calm.tick.base[None]
    normalised = torch.from_numpy(residual[1].checkpoint.normaliser.normalise_actions(base))
    np.testing.assert_allclose(calm.tick.offset, residual[0].offset(z, normalised)[0], atol=1e-5)
    acting.episode.finish(EpisodeEnd(True, ErrorCode.OK, "the time is up"))
    assert [s.owner for s in acting.kept.steps[:-1]] == [Owner.POLICY, Owner.TELEOP, Owner.POLICY]


@pytest.mark.parametrize(
    ("code", "terminated"),
    [
        (ErrorCode.CANCELLED, True), (ErrorCode.FORCE_LIMIT, True), (ErrorCode.STOPPED, True),
        (ErrorCode.OK, False), (ErrorCode.STALE_OBSERVATION, False), (ErrorCode.NODE_LOST, False),
    ],
)  # fmt: skip
def test_an_episode_terminates_where_nothing_would_have_followed(residual, code, terminated):
    acting = Acting(residual)
    acting.run()
    acting.episode.finish(EpisodeEnd(False, code, "why"))
    assert acting.kept.closed == [("why", terminated)]


def test_an_episode_is_closed_though_its_last_step_could_not_be_completed(residual):
    acting = Acting(residual)
    acting.episode.owned_by("teleop")
    acting.run()
    acting.seen.pose = None
    with pytest.raises(VitalError, match="no joint states come"):
        acting.episode.finish(EpisodeEnd(True, ErrorCode.CANCELLED, "cancelled"))
    assert acting.kept.steps == [] and len(acting.kept.closed) == 1


@pytest.fixture
def node(own_ros_domain):
    context = Context()
    rclpy.init(context=context, domain_id=own_ros_domain)
    node = rclpy.create_node("inbox", context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


def weights_of(residual: Residual, version: int) -> ResidualWeights:
    data = to_bytes(dataclasses.replace(residual, version=version))
    return ResidualWeights(version=version, sha256=hashlib.sha256(data).hexdigest(), weights=data)


@given(st.lists(st.tuples(st.integers(0, VERSIONS - 1), st.sampled_from(["whole", "torn", "hash"])), max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_weights_in_any_order_leave_the_newest_whole_ones_and_count_the_rest(residual, node, told):
    policy = ResidualPolicy(residual[1])
    inbox, newest, refused = WeightsInbox(node, policy), -1, 0
    for version, fault in told:
        message = weights_of(residual[0], version)
        if fault == "torn":
            message.weights = message.weights[:-3]
        elif fault == "hash":
            message.sha256 = "0" * 64
        inbox._on_weights(message)
        taken = fault == "whole" and version >= newest
        newest, refused = version if taken else newest, refused + (not taken)
        assert (inbox.refused, inbox.ready) == (refused, newest >= 0)
        assert bool(inbox.problem) == (not taken) and (taken or "dropped" in inbox.problem)
        assert (policy.residual.version if policy.residual else -1) == newest
    assert math.isnan(inbox.age_s) if newest < 0 else 0.0 <= inbox.age_s < 60.0


def test_nobody_may_learn_before_weights_have_come(residual, node):
    inbox = WeightsInbox(node, ResidualPolicy(residual[1]))
    with pytest.raises(VitalError, match="is the learner node running") as refused:
        inbox.check_ready()
    assert refused.value.code is ErrorCode.NO_CHECKPOINT
    inbox.take(weights_of(residual[0], 0))
    inbox.check_ready()


@given(MOTIONS, st.integers(0, 10**18), st.integers(0, 10**18), st.integers(0, 2**31))
def test_a_command_carries_its_action_and_is_valid_for_one_period(motion, observed_ns, now_ns, seq):
    action = Action.from_array(np.append(motion, 1.0))
    message = policy_messages.command(action, 7, seq, observed_ns, now_ns, 0.125)
    assert (message.owner, message.token, message.seq, message.header.frame_id) == ("policy", 7, seq, "link_tcp")
    assert Time.from_msg(message.header.stamp).nanoseconds == observed_ns
    assert Time.from_msg(message.valid_until).nanoseconds - now_ns == 125_000_000
    t, r = message.translation_m, message.rotation_rad
    np.testing.assert_array_equal([t.x, t.y, t.z, r.x, r.y, r.z, message.gripper], action.to_array())


def test_a_state_tells_base_and_residual_of_what_was_sent_and_nothing_of_what_was_not(residual):
    acting, times = Acting(residual), TickTimes(1.0, 0.002, 0.03)
    refused = policy_messages.state("usb_insertion", 1, 0, "a" * 64, acting.tick.run(), times)
    assert np.isnan(refused.action).all() and np.isnan(refused.base_action).all() and not refused.commanded
    assert refused.error_code == ErrorCode.STALE_OBSERVATION and "no wrist image" in refused.message
    result = acting.run()
    sent = policy_messages.state("usb_insertion", 2, 0, "a" * 64, result, times)
    assert sent.commanded and (sent.inference_s, sent.lateness_s) == (0.03, 0.002)
    np.testing.assert_array_equal(sent.action, result.action.to_array())
    np.testing.assert_allclose(sent.base_action + sent.residual_action, sent.action, atol=1e-12)


def test_a_goal_that_was_refused_has_figures_that_nobody_measured():
    told = policy_messages.refusal(VitalError(ErrorCode.BUSY, "an episode is running"))
    assert (told.completed, told.error_code, told.message) == (False, ErrorCode.BUSY, "an episode is running")
    assert (told.ticks, told.commands_sent, told.replay_episode, told.duration_s) == (0, 0, -1, 0.0)
    assert all(math.isnan(value) for value in (told.tick_median_ms, told.tick_p99_ms, told.jitter_p99_ms))
    figures = EpisodeFigures(1.0)
    for number in range(3):
        figures.note(TickResult(object(), None), number != 1, 0.5 * number, 0.02)
    ended = policy_messages.result_of(EpisodeEnd(True, ErrorCode.OK, ""), figures, 1.5, 0.5, 4)
    assert (ended.ticks, ended.commands_sent, ended.interventions, ended.replay_episode) == (3, 2, 1, 4)
    assert (ended.tick_median_ms, ended.jitter_p99_ms) == pytest.approx((20.0, 0.0), abs=1e-9)


def test_an_episode_is_as_long_as_the_goal_says_or_as_the_task_is():
    task = load_task("usb_insertion")
    goal = RunPolicy.Goal(task="usb_insertion")
    assert episode_length_s(goal, task, busy=False) == task.episode_s
    goal.duration_s = 2.5
    assert episode_length_s(goal, task, busy=False) == 2.5
    for duration_s in (math.inf, math.nan, -0.1):
        goal.duration_s = duration_s
        with pytest.raises(VitalError, match="expected 0 or more") as refused:
            episode_length_s(goal, task, busy=False)
        assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_a_residual_beside_the_checkpoint_is_taken_unless_another_or_none_is_named(tmp_path):
    beside = tmp_path / "usb_insertion_residual.safetensors"
    given = PolicyParameters(checkpoint_dir=str(tmp_path))
    assert given.checkpoint_path == tmp_path / "usb_insertion.safetensors" and given.residual_path is None
    beside.touch()
    assert given.residual_path == beside
    for name, path in (("none", None), ("", None), ("/another", Path("/another"))):
        assert dataclasses.replace(given, residual=name).residual_path == path


def test_a_card_tells_the_launch_that_taught_and_no_folder_of_a_person():
    given = LearnerParameters(batch=256, seed=3, dense=True, threads=2, folder="/home/ada/t", demos=("/home/ada/usb",))
    expected = "task:=usb_insertion batch:=256 run_seed:=3 dense:=true demos:=usb"
    assert given.launched == f"ros2 launch vital_bringup residual_training.launch.py {expected}"
    assert LearnerParameters(task="key_in_lock").launched.endswith("residual_training.launch.py task:=key_in_lock")


@pytest.mark.parametrize("parameters", [LearnerParameters(), LearnerParameters(folder="."), ReplayParameters()])
def test_a_folder_that_is_not_given_is_asked_for(parameters):
    with pytest.raises(VitalError, match="the parameter folder is empty") as refused:
        parameters.folder_path()
    assert refused.value.code is ErrorCode.BAD_PARAMETER
