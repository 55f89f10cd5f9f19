"""Policy, replay and learner over real DDS, each in a process of its own, around a task that a test can play."""

import hashlib
import os
import resource
import time

import numpy as np
import pytest
import torch
from geometry_msgs.msg import Point
from rig import HOME, Processes, noisy_step, request_of, rig
from slide import Slide, small_config, still
from waiting import rest_of, stays, wait_until

from vital_core import pose as pose_of
from vital_core.arm.kinematics import forward
from vital_core.errors import ErrorCode
from vital_interfaces.msg import ResidualWeights
from vital_policy.inference import LocalPolicy
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.learner.learning import ResidualLearner
from vital_rl.learner.training import play_episode
from vital_rl.replay import episode_message
from vital_rl.replay.replay_store import ReplayStore
from vital_rl.replay.step import ReplayStep
from vital_rl.residual.residual import to_bytes

POLICY, REPLAY, LEARNER = "vital_rl.acting.policy_node", "vital_rl.replay.replay_node", "vital_rl.learner.learner_node"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Folder of the base policy."""
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def checkpoint(base):
    return still(base)


@pytest.fixture
def robot(own_ros_domain):
    with rig(own_ros_domain) as node:
        yield node


@pytest.fixture
def nodes(tmp_path, own_ros_domain):
    processes = Processes(tmp_path / "stderr.txt")
    yield processes
    processes.end()


def start_replay(nodes, folder, **options):
    return nodes.start(REPLAY, f"folder:={folder / 'replay'}", **options)


def start_policy(nodes, folder):
    return nodes.start(POLICY, f"checkpoint_dir:={folder}", "learn:=true", "residual:=none")


def message_of(residual):
    data = to_bytes(residual)
    digest = hashlib.sha256(data).hexdigest()
    return ResidualWeights(task="usb_insertion", version=residual.version, sha256=digest, weights=data)


def drawn_residual(checkpoint):
    residual = ResidualLearner(small_config(), checkpoint).residual()
    torch.manual_seed(3)
    torch.nn.init.normal_(residual.actor.out.weight, std=2.0)
    return residual


def start_acting(nodes, folder, base, checkpoint, robot):
    """Replay and policy, with an untrained residual, before an episode of the slide."""
    start_replay(nodes, folder)
    start_policy(nodes, base)
    robot.send_weights(message_of(ResidualLearner(small_config(), checkpoint).residual()))
    wait_until(lambda: robot.replay, "the replay")
    robot.wait_for_policy()
    robot.place(1)


def some_step(value=0):
    numbers = [np.full(n, 0.001 * value, np.float32) for n in (15, 7, 7, 7)]
    return ReplayStep(np.full((128, 128, 3), value % 256, np.uint8), *numbers)


def settled(count):
    """What a count comes to that does not grow any more."""
    return int(rest_of(lambda: np.array([count()]))[0])


def store_episode(robot, steps=5, seed=1):
    episode = robot.ask("open", task="usb_insertion", seed=seed).episode
    for index in range(steps):
        assert robot.ask("append", **request_of(episode, index, some_step(index))).success
    assert robot.ask("close", episode=episode, reason="done", terminated=True).success
    return episode


def test_the_graph_and_the_script_store_the_same_episode(tmp_path, base, checkpoint, robot, nodes):
    residual = drawn_residual(checkpoint)
    store, policy = ReplayStore(tmp_path / "script"), ResidualPolicy(LocalPolicy(checkpoint), residual)
    number = store.open_episode({"seed": 7})
    play_episode(Slide(), policy, 7, residual.exploration, 0, lambda step: store.append(number, step))
    expected = store.read_steps(number)

    start_replay(nodes, tmp_path)
    start_policy(nodes, base)
    robot.send_weights(message_of(residual))
    wait_until(lambda: robot.replay is not None, "the replay")
    robot.wait_for_policy()
    for episode in range(4):
        result = robot.play(7)
        assert result.replay_episode == episode and result.commands_sent == robot.commands, nodes.said()
        if not robot.stale:
            break
    assert not robot.stale, "no episode without a tick that saw an old image: the machine is too slow for this test"
    assert robot.ask("label", episode=episode, succeeded=True, source="test").success
    (message,) = robot.ask("read", cursor=0).found
    episode, found = episode_message.from_message(message)
    assert episode.about["seed"] == 7 and episode.terminated and len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        for name in ("image", "foreground", "tactile_ut", "base", "residual", "executed"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
        assert (ours.owner, ours.weights_version) == ("policy", theirs.weights_version)


def test_what_a_person_did_is_stored_as_theirs_and_the_policy_goes_on(tmp_path, base, checkpoint, robot, nodes):
    start_acting(nodes, tmp_path, base, checkpoint, robot)
    x, y, z = forward(HOME)[:3, 3].tolist()
    handle = robot.goal(seed=1, finish=[Point(x=x, y=y, z=z)])
    wait_until(lambda: robot.commands >= 2, "the policy's commands")
    robot.gate.give_to("teleop")
    robot.follows = False  # it stays where the person leaves it
    sent = settled(lambda: robot.commands)
    before = robot.joints.copy()
    moved = before.copy()
    for _ in range(40):
        moved[1] += 0.002
        robot.joints = moved.copy()
        time.sleep(0.02)
    assert robot.commands == sent, "the policy spoke while a person had the arm"
    robot.gate.give_to("")
    wait_until(lambda: robot.commands >= sent + 2, "the policy after the person")
    handle.cancel_goal_async()
    result = robot.result(handle)
    assert result.interventions >= 4
    robot.ask("label", episode=result.replay_episode, succeeded=True, source="test")
    _, rows = episode_message.from_message(robot.ask("read", cursor=0).found[0])
    owners = [row.owner for row in rows]
    assert owners[0] == owners[-1] == "policy" and owners.count("teleop") == result.interventions
    theirs = sum(row.executed[:3] for row in rows if row.owner == "teleop")
    whole = pose_of.to_vector(pose_of.inverse(forward(before)) @ forward(moved))
    assert np.allclose(theirs, whole[:3], atol=2e-3) and np.linalg.norm(theirs) > 5e-3
    away = np.abs(forward(moved)[:3, 3] - forward(HOME)[:3, 3]).sum()
    assert rows[0].distance_m == pytest.approx(0.0, abs=1e-6) and rows[-1].distance_m == pytest.approx(away, abs=1e-6)


@pytest.mark.timing  # a joint state of more than 0.1 s ago tells nothing
def test_learning_begins_once_it_is_known_where_the_arm_is(tmp_path, base, checkpoint, robot, nodes):
    start_acting(nodes, tmp_path, base, checkpoint, robot)
    robot.joints_said = False
    x, y, z = forward(HOME)[:3, 3].tolist()
    handle = robot.goal(seed=1, finish=[Point(x=x, y=y, z=z)])
    stays(lambda: robot.commands == 0, 0.7)
    robot.joints_said = True
    wait_until(lambda: robot.commands >= 2, "the policy's commands")
    handle.cancel_goal_async()
    episode = robot.result(handle).replay_episode
    robot.ask("label", episode=episode, succeeded=True, source="test")
    _, rows = episode_message.from_message(robot.ask("read", cursor=0).found[0])
    assert rows[0].distance_m == pytest.approx(0.0, abs=1e-6)


def test_a_killed_policy_leaves_an_interrupted_episode_that_nobody_learns_from(
    tmp_path, base, checkpoint, robot, nodes
):
    start_acting(nodes, tmp_path, base, checkpoint, robot)
    robot.goal(seed=1)
    wait_until(lambda: robot.commands >= 5, "the policy's commands")
    nodes.kill(POLICY)
    episode = store_episode(robot)
    assert episode == 1
    assert robot.ask("label", episode=0, succeeded=False, source="test").success
    found = robot.ask("read", episodes=[0]).found
    assert found[0].reason == "interrupted" and len(found[0].lengths) >= 3


def test_a_replay_that_dies_ends_the_episode_and_keeps_what_it_acknowledged(tmp_path, base, checkpoint, robot, nodes):
    start_acting(nodes, tmp_path, base, checkpoint, robot)
    handle = robot.goal(seed=1)
    wait_until(lambda: robot.commands >= 5, "the policy's commands")
    nodes.kill(REPLAY)
    result = robot.result(handle)
    assert not result.completed and result.error_code in (ErrorCode.NODE_LOST, ErrorCode.TIMEOUT)
    assert robot.gate.owner == ""
    robot.replay = None
    start_replay(nodes, tmp_path)
    wait_until(lambda: robot.replay is not None, "the replay again")
    assert robot.replay.steps >= 3 and robot.replay.unlabelled == 0


def test_labels_that_make_no_sense_or_disagree_are_answered_so(tmp_path, robot, nodes):
    start_replay(nodes, tmp_path)
    episode = store_episode(robot)
    unknown = robot.ask("label", episode=99, succeeded=True, source="a")
    assert not unknown.success and unknown.verdict == "unknown episode"
    assert not robot.ask("read", cursor=0).found
    assert robot.ask("label", episode=episode, succeeded=True, source="a").success
    assert len(robot.ask("read", cursor=0).found) == 1
    disputed = robot.ask("label", episode=episode, succeeded=False, source="b")
    assert not disputed.success and "another label" in disputed.verdict
    assert not robot.ask("read", cursor=0).found
    settled = robot.ask("label", episode=episode, succeeded=False, source="c", relabel=True)
    assert settled.success and [e.success for e in robot.ask("read", cursor=0, limit=9).found] == [False]


def test_steps_out_of_order_or_for_no_open_episode_are_refused(tmp_path, robot, nodes):
    start_replay(nodes, tmp_path)
    episode = robot.ask("open", task="usb_insertion", seed=1).episode
    assert robot.ask("append", **request_of(episode, 0, some_step())).success
    assert robot.ask("append", **request_of(episode, 0, some_step())).success  # told twice, kept once
    late = robot.ask("append", **request_of(episode, 2, some_step()))
    assert not late.success and "expected 1" in late.message
    other = robot.ask("append", **request_of(99, 0, some_step()))
    assert not other.success and "is unknown" in other.message
    wait_until(lambda: robot.replay.error_code == ErrorCode.BAD_PARAMETER, "the refusal")


def test_a_full_disk_is_said_and_costs_nothing_that_was_kept(tmp_path, robot, nodes):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))  # noqa: E731
    start_replay(nodes, tmp_path, preexec_fn=limit)
    episode = robot.ask("open", task="usb_insertion", seed=1).episode
    answers = [robot.ask("append", **request_of(episode, i, noisy_step(i))) for i in range(6)]
    kept = sum(answer.success for answer in answers)
    full = answers[kept]
    assert 0 < kept < 6 and full.error_code == ErrorCode.DISK_FULL, [a.message for a in answers]
    nodes.kill(REPLAY)
    start_replay(nodes, tmp_path)
    robot.replay = None
    wait_until(lambda: robot.replay is not None, "the replay again")
    assert robot.replay.steps == kept


def test_a_replay_whose_disk_was_full_goes_on_when_there_is_room(small_disk, robot, nodes):
    folder = small_disk(1_000_000)
    start_replay(nodes, folder)
    episode = robot.ask("open", task="usb_insertion", seed=1).episode
    assert robot.ask("append", **request_of(episode, 0, noisy_step(0))).success
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "filler").write_bytes(bytes(free))
    for _ in range(2):
        assert robot.ask("append", **request_of(episode, 1, noisy_step(1))).error_code == ErrorCode.DISK_FULL
    wait_until(
        lambda: robot.replay and robot.replay.error_code == ErrorCode.DISK_FULL, "the refusal in the replay's state"
    )
    (folder / "filler").unlink()
    assert robot.ask("append", **request_of(episode, 1, noisy_step(1))).success
    assert robot.ask("close", episode=episode, reason="done", terminated=True).success
    assert robot.ask("open", task="usb_insertion", seed=2, about="[" * 50_000).error_code == ErrorCode.BAD_PARAMETER
    assert robot.ask("open", task="usb_insertion", seed=2, about='{"a": 1}').success


def test_weights_that_do_not_fit_change_nothing_and_are_said(tmp_path, base, checkpoint, robot, nodes):
    start_replay(nodes, tmp_path)
    start_policy(nodes, base)
    good = drawn_residual(checkpoint)
    wait_until(lambda: robot.client.server_is_ready() and robot.replay, "the nodes")
    handle = robot.goal(seed=1)
    assert "no learner has sent weights" in robot.result(handle).message
    robot.send_weights(message_of(good))
    robot.wait_for_policy()
    wrong_hash, other_size = message_of(good), message_of(good)
    wrong_hash.sha256 = "0" * 64
    actor = type(good.actor)(type(good.actor.config)(features=9, hidden=4))
    data = to_bytes(type(good)(actor, good.task, good.base_sha256, good.scale, version=5))
    other_size.weights, other_size.sha256 = data, hashlib.sha256(data).hexdigest()
    for refused, bad in enumerate((wrong_hash, other_size), start=1):
        robot.send_weights(bad)
        robot.wait_for_policy(refused)
    result = robot.play(7)
    assert result.commands_sent > 0
    said = nodes.said()
    assert "expected 000000000000" in said and "the actor takes 9 features" in said


def test_learner_learns_what_is_labelled_dies_and_goes_on(tmp_path, base, checkpoint, robot, nodes):
    options = (
        f"checkpoint:={base / 'usb_insertion.safetensors'}",
        f"folder:={tmp_path / 'learner'}",
        "updates_per_step:=4",
        "save_every_s:=0.2",
    )
    start_replay(nodes, tmp_path)
    nodes.start(LEARNER, *options)
    wait_until(lambda: robot.weights, "the first weights", 60.0)
    first = store_episode(robot)
    stays(lambda: robot.learner is None or robot.learner.episodes == 0, 0.5, "not learning from what has no label")
    robot.ask("label", episode=first, succeeded=True, source="test")
    wait_until(
        lambda: robot.learner and robot.learner.updates == 16 and robot.learner.owed == 0, "sixteen updates", 60.0
    )
    wait_until(lambda: robot.weights[-1].version == 16, "their weights")
    wait_until(lambda: list((tmp_path / "learner").glob("state_*")), "the state")
    nodes.kill(LEARNER)
    second = store_episode(robot, seed=2)
    robot.ask("label", episode=second, succeeded=False, source="test")
    robot.learner = None
    nodes.start(LEARNER, *options)
    wait_until(lambda: robot.learner and robot.learner.updates == 32, "the updates of both", 60.0)
    assert robot.learner.episodes == 2 and robot.learner.steps == 8


def test_a_learner_for_another_base_policy_ends_with_its_reason(tmp_path, base, robot, nodes):
    process = nodes.start(LEARNER, f"checkpoint:={base / 'none.safetensors'}", f"folder:={tmp_path / 'learner'}")
    assert process.wait(60.0) == 2
    assert "NO_CHECKPOINT 30" in nodes.said() and "Traceback" not in nodes.said()
