"""Demonstration files hold what they promise, and recording can be interrupted and goes on."""

import hashlib

import cv2
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import Action, Observation
from vital_core.task import load_task, task_names
from vital_data.dataset.dataset import load_demonstrations
from vital_sim.demonstrations import collect_demos
from vital_sim.demonstrations.collect_demos import Recorder
from vital_sim.demonstrations.forerunner import TOUCH_SHARE, Forerunner
from vital_sim.demonstrator.disturbance import (
    LARGEST,
    NEAR_SHARE,
    NOISE,
    PERIOD_S,
    STRAY_ACROSS_M,
    STRAY_ALONG_M,
    STRAY_LEAST_M,
    STRAY_S,
    UNDISTURBED,
    Disturbance,
    InjectedNoise,
    Strays,
)
from vital_sim.demonstrator.expert import ScriptedExpert, law_for
from vital_sim.demonstrator.rollout import run
from vital_sim.demonstrator.style import Phase, X, Z
from vital_sim.evaluation.policies import PolicySpec
from vital_sim.gym.env import VitalEnv
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.fixtures import fixture_for
from vital_sim.world.tactile import largest_field_ut
from vital_sim.world.variation import EXACT
from vital_sim.world.world import World, WorldConfig

TASK = "usb_insertion"
LABELS = ("intended", "demonstrated")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two recorded episodes."""
    made = tmp_path_factory.mktemp("demos")
    assert collect_demos.collect(TASK, 2, 0, made, "green", 1, Disturbance()) >= 0
    return made


def read(path):
    """Tensors and metadata of one file."""
    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def test_file_has_the_contracts_tensors_and_metadata(folder):
    tensors, metadata = read(folder / "episode_0000.safetensors")
    frames = len(tensors["image"])
    assert {name: (value.dtype.name, value.shape) for name, value in tensors.items()} == {
        "image": ("uint8", (frames, 128, 128, 3)),
        "foreground": ("uint8", (frames, 128, 16)),
        "tactile_ut": ("float32", (frames, 15)),
        "t_base_tcp": ("float64", (frames, 4, 4)),
        "t_base_tcp_target": ("float64", (frames, 4, 4)),
        "t_base_tcp_demonstrated": ("float64", (frames, 4, 4)),
        "t_base_tcp_intended": ("float64", (frames, 4, 4)),
        "gripper": ("float32", (frames,)),
    }
    expected = {"format": "vital_demo/1", "task": TASK, "rate_hz": "30", "success": "true", "frame": "link_tcp"}
    assert expected.items() <= metadata.items()
    assert int(metadata["seed"]) % collect_demos.RETRY_STRIDE == 0


def test_six_hertz_actions_are_within_the_gates_limits(folder):
    task = load_task(TASK)
    for path in folder.glob("episode_*.safetensors"):
        tensors, _ = read(path)
        measured, target = tensors["t_base_tcp"], tensors["t_base_tcp_target"]
        for start in range(len(measured) - 4):
            step, angle = pose_of.distance(measured[start], target[start + 4])
            assert step < task.max_step_m and angle < task.max_step_rad


def test_measured_pose_follows_the_target_in_force(folder):
    tensors, _ = read(folder / "episode_0000.safetensors")
    error = tensors["t_base_tcp"][6:, :3, 3] - tensors["t_base_tcp_target"][5:-1, :3, 3]
    assert np.linalg.norm(error, axis=1).max() < 0.006


def test_touch_starts_at_its_baseline_and_feels_the_insertion(folder):
    touch = np.abs(read(folder / "episode_0000.safetensors")[0]["tactile_ut"]).max(axis=1)
    assert touch[:5].max() < 20.0
    assert touch.max() > 50.0


def test_episode_ends_with_half_a_second_of_holding_still(folder):
    tensors, _ = read(folder / "episode_0000.safetensors")
    assert np.ptp(tensors["t_base_tcp"][-collect_demos.HOLD_FRAMES + 8 :, :3, 3], axis=0).max() < 0.0015
    assert tensors["t_base_tcp"][-1, 2, 3] == pytest.approx(tensors["t_base_tcp"][:, 2, 3].min(), abs=0.001)


def test_whole_episodes_are_kept_and_a_torn_one_is_recorded_again(folder):
    kept, torn = folder / "episode_0000.safetensors", folder / "episode_0001.safetensors"
    untouched, content = kept.stat().st_mtime_ns, torn.read_bytes()
    torn.write_bytes(content[: len(content) // 2])
    assert not collect_demos.is_whole(torn)
    collect_demos.collect(TASK, 2, 0, folder, "green", 1, Disturbance())
    assert kept.stat().st_mtime_ns == untouched
    again, _ = read(torn)
    assert np.isfinite(again["t_base_tcp"]).all() and collect_demos.is_whole(torn)
    assert not list(folder.glob(".*"))


def test_foreground_is_read_where_every_episode_tells_it(folder):
    found = load_demonstrations(folder, TASK, foreground=None)
    assert found.foreground is not None and found.foreground.shape == (len(found), 128, 16)
    assert 0.02 < np.unpackbits(found.foreground).mean() < 0.9


def test_failed_attempts_are_counted_and_not_kept(tmp_path, monkeypatch):
    seeds = []

    class FailsTwice:
        def record(self, seed):
            seeds.append(seed)
            return {"gripper": np.ones(3, np.float32)} if len(seeds) == 3 else None

    monkeypatch.setitem(collect_demos._recorders, (TASK, "green", UNDISTURBED, "window", "", ""), FailsTwice())
    assert collect_demos.collect(TASK, 1, 4, tmp_path, "green", workers=1) == 2
    assert seeds == [4, 4 + collect_demos.RETRY_STRIDE, 4 + 2 * collect_demos.RETRY_STRIDE]
    assert read(tmp_path / "episode_0000.safetensors")[1]["seed"] == str(seeds[-1])


class Presser:
    """A policy that goes 2 mm down a tick."""

    def __init__(self):
        self.seen = []

    def begin(self):
        return None

    def act(self, observations, memories):
        self.seen += observations
        return [Action(np.array([0.0, 0.0, 0.002]), np.zeros(3)) for _ in observations]


@pytest.fixture
def presser(monkeypatch):
    made = Presser()
    monkeypatch.setattr(PolicySpec, "load", lambda _spec: made)
    return made


def test_a_policy_that_acts_first_is_followed_from_where_it_came_and_is_not_in_what_is_kept(tmp_path, presser):
    (tmp_path / "first.safetensors").write_bytes(b"weights")
    folder = tmp_path / "demos"
    collect_demos.collect(TASK, 2, 7, folder, "green", 1, UNDISTURBED, after=tmp_path / "first.safetensors")
    usual = Recorder(load_task(TASK), "green")
    for index in range(2):
        tensors, header = read(folder / f"episode_{index:04d}.safetensors")
        moment = int(np.random.default_rng([int(header["seed"]), 3]).integers(61))
        usual.world.begin(int(header["seed"]), 0.0)
        start = usual.world.t_base_tcp()
        sunk_m = start[2, 3] - tensors["t_base_tcp"][0][2, 3]
        assert sunk_m > 0.005 if moment > 5 else sunk_m == pytest.approx(0.002 * moment, abs=0.002)
        assert header["after"] == hashlib.sha256(b"weights").hexdigest() and header["success"] == "true"
        assert np.linalg.norm(tensors["tactile_ut"], axis=1).max() > 1.0
    limit_ut = load_task(TASK).tactile_limit_ut
    assert max(largest_field_ut(o.tactile_ut) for o in presser.seen) < 2 * TOUCH_SHARE * limit_ut


def test_a_policy_that_acts_first_is_pushed_to_one_side_through_an_episode(tmp_path, presser, monkeypatch):
    monkeypatch.setattr(VitalEnv, "carry_out", lambda _env, action: done.append(action.to_array()))
    seen = Observation(np.zeros((128, 128, 3), np.uint8), np.zeros(15, np.float32))
    pushes, task = [], load_task(TASK)
    for seed in (7, 8):
        done: list = []
        Forerunner(task, SceneConfig(), tmp_path / "first.safetensors", Disturbance(push=0.1)).act(seed, lambda: seen)
        assert len(done) > 1 and (np.array(done) == done[0]).all()
        pushes.append(done[0] - [0.0, 0.0, 0.002, 0.0, 0.0, 0.0, 1.0])
    most = 0.1 * np.array([task.max_step_m] * 3 + [task.max_step_rad] * 3)
    assert all((np.abs(push[:6]) <= most).all() and push[:6].all() and push[6] == 0.0 for push in pushes)
    assert (pushes[0][:6] != pushes[1][:6]).all()


def test_a_push_is_told_by_a_file_and_refused_where_nobody_acts_first(tmp_path, presser, capsys):
    (tmp_path / "first.safetensors").write_bytes(b"weights")
    given = [TASK, 1, 7, tmp_path / "demos", "green", 1]
    collect_demos.collect(*given, Disturbance(0.0, 0.0, push=0.02), after=tmp_path / "first.safetensors")
    assert read(tmp_path / "demos" / "episode_0000.safetensors")[1]["push"] == "0.02"
    with pytest.raises(VitalError, match="record into another folder"):
        collect_demos.collect(*given, UNDISTURBED, after=tmp_path / "first.safetensors")
    with pytest.raises(SystemExit):
        collect_demos.main(["--task", TASK, "--out", str(tmp_path / "none"), "--push", "0.02"])
    assert "expected --after with it" in " ".join(capsys.readouterr().err.split())


def test_what_is_shown_under_a_perturbation_is_of_its_world_and_says_so(tmp_path, presser, capsys):
    (tmp_path / "first.safetensors").write_bytes(b"weights")
    given = [TASK, 1, 7, tmp_path / "demos", "green", 1, UNDISTURBED, "window", tmp_path / "first.safetensors"]
    collect_demos.collect(*given, "in_hand_150")
    assert read(tmp_path / "demos" / "episode_0000.safetensors")[1]["perturbation"] == "in_hand_150"
    with pytest.raises(VitalError, match="record into another folder"):
        collect_demos.collect(*given)
    usual, askew = (Recorder(load_task(TASK), "green", perturbation=name).world for name in ("", "in_hand_150"))
    held = []
    for world in (usual, askew):
        world.begin(7, 0.0)
        held.append(world.truth().t_tcp_object)
    turned_rad = [np.linalg.norm(pose_of.to_vector(pose)[3:]) for pose in held]
    assert turned_rad[1] > 1.3 * turned_rad[0] > 0.0
    for name, said in (("blur_2px", "expected one of the world: friction_half"), ("fog", "expected one of shift_5px")):
        with pytest.raises(SystemExit):
            collect_demos.main(["--task", TASK, "--out", str(tmp_path / "none"), "--perturbation", name])
        assert said in " ".join(capsys.readouterr().err.split())


def test_episodes_after_another_policy_are_not_taken_for_these(tmp_path, presser):
    first, other = tmp_path / "first.safetensors", tmp_path / "other.safetensors"
    first.write_bytes(b"weights")
    other.write_bytes(b"others")
    collect_demos.collect(TASK, 1, 7, tmp_path / "demos", "green", 1, UNDISTURBED, after=first)
    for after in (other, None):
        with pytest.raises(VitalError, match="record into another folder"):
            collect_demos.collect(TASK, 1, 7, tmp_path / "demos", "green", 1, UNDISTURBED, after=after)
    with pytest.raises(VitalError, match=r"--after .* cannot be read"):
        collect_demos.collect(TASK, 1, 7, tmp_path / "more", "green", 1, UNDISTURBED, after=tmp_path / "none")


def test_expert_that_never_succeeds_is_given_up(tmp_path, monkeypatch):
    class NeverSucceeds:
        def record(self, seed):
            return None

    monkeypatch.setitem(collect_demos._recorders, (TASK, "green", UNDISTURBED, "window", "", ""), NeverSucceeds())
    with pytest.raises(VitalError, match="failed 10 times"):
        collect_demos.collect(TASK, 1, 0, tmp_path, "green", workers=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("task", "seed", "background"),
    [
        ("plug_in_socket", 0, "green"),
        (TASK, 1, "green"),
        (TASK, 0, "plain"),
        (TASK, collect_demos.RETRY_STRIDE, "green"),
    ],
)
def test_folder_of_another_recording_is_refused_and_left_alone(folder, task, seed, background):
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(VitalError, match="record into another folder"):
        collect_demos.collect(task, 2, seed, folder, background, 1, Disturbance())
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_no_episodes_at_all_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        collect_demos.main(["--task", TASK, "--episodes", "0", "--out", str(tmp_path / "none")])
    assert stopped.value.code == 2
    assert "at least 1" in capsys.readouterr().err


def test_contact_sheet_has_one_row_an_episode(folder, tmp_path):
    sheet = tmp_path / "sheet.png"
    collect_demos.main(
        ["--task", TASK, "--episodes", "2", "--out", str(folder), "--workers", "1", "--sheet", str(sheet)]
    )
    assert cv2.imread(str(sheet)).shape == (2 * 128, 8 * 128, 3)


def asked(out, *more, episodes=2):
    """The command's arguments."""
    return ["--task", TASK, "--episodes", str(episodes), "--out", str(out), "--workers", "1", *more]


@pytest.mark.parametrize("given", ["--out", "--sheet"])
def test_place_that_cannot_be_written_is_refused_before_anything_is_recorded(tmp_path, capsys, monkeypatch, given):
    monkeypatch.setattr(collect_demos, "record_job", lambda job: pytest.fail("nothing may be recorded"))
    (tmp_path / "file").write_text("here already")
    place = tmp_path / "file" / "inside"
    arguments = asked(place) if given == "--out" else asked(tmp_path / "demos", given, str(place))
    with pytest.raises(SystemExit) as stopped:
        collect_demos.main(arguments)
    assert stopped.value.code == 2
    assert f"{given} cannot be written" in capsys.readouterr().err.replace("\n", " ")


def test_sheet_is_a_png_whatever_it_is_called(folder, tmp_path):
    collect_demos.main(asked(folder, "--sheet", str(tmp_path / "sheet")))
    sheet = cv2.imread(str(tmp_path / "sheet"))[:, :, ::-1]
    first = read(folder / "episode_0000.safetensors")[0]["image"]
    np.testing.assert_array_equal(sheet[:128, :128], first[0])
    np.testing.assert_array_equal(sheet[:128, -128:], first[-1])


def test_sheet_with_a_torn_episode_is_refused_by_its_name(folder, tmp_path, capsys):
    for path in folder.glob("*.safetensors"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = (tmp_path / "episode_0001.safetensors").read_bytes()
    (tmp_path / "episode_0007.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit) as stopped:
        collect_demos.main(asked(tmp_path, "--sheet", str(tmp_path / "sheet.png")))
    told = "".join(capsys.readouterr().err.split())  # lines are broken where the terminal ends
    assert stopped.value.code == 2 and "episode_0007" in told and "recorditagain" in told
    assert not (tmp_path / "sheet.png").exists()


def test_corrections_are_shown_along_the_way_and_labels_are_without_the_noise(folder):
    """What is executed errs, what is intended leads back; what is demonstrated errs as a hand does, without the noise:
    in open air the three are apart."""
    for path in folder.glob("episode_*.safetensors"):
        tensors, metadata = read(path)
        assert (metadata["start_yaw_deg"], metadata["noise"]) == ("20", "1")
        measured, far = tensors["t_base_tcp"], tensors["t_base_tcp"][:-5, 2, 3] > tensors["t_base_tcp"][-1, 2, 3] + 0.02
        executed = measured[5:, :2, 3] - measured[:-5, :2, 3]
        intended, demonstrated = ((tensors[f"t_base_tcp_{name}"] - measured)[:-5, :2, 3] for name in LABELS)
        apart = np.linalg.norm(executed - intended, axis=1)[far]
        assert far.sum() > 10 and np.median(apart) > 0.0008
        assert np.median(np.linalg.norm(demonstrated - intended, axis=1)[far]) > 1e-5
        assert np.median(np.linalg.norm(demonstrated - executed, axis=1)[far]) > 0.0008


@pytest.mark.slow
@pytest.mark.parametrize("task", task_names())
def test_demonstrator_does_the_task_from_a_turned_start_and_under_noise(task):
    """Two starts that are far from straight; `bench/demonstrations.py` counts forty of each task."""
    world, usual = World(load_task(task)), Disturbance()
    turned = [seed for seed in range(100) if abs(usual.start_yaw_rad(seed)) > np.deg2rad(17.0)][:2]
    for seed in turned:
        world.begin(seed, usual.start_yaw_rad(seed))
        expert = ScriptedExpert(world, np.random.default_rng([seed, 1]), human_like=True, noise=usual.noise)
        assert run(world, expert).success, f"seed {seed}"


@pytest.mark.parametrize("task", ["usb_insertion", "card_swipe"])
@pytest.mark.parametrize("yaw_rad", [-0.3, 0.2])
def test_a_turned_start_is_turned_about_the_tip(task, yaw_rad):
    world = World(load_task(task), config=WorldConfig(variation=EXACT))
    tips = []
    for turn_rad in (0.0, yaw_rad):
        world.begin(3, turn_rad)
        tips.append(world.t_base_tcp() @ world.t_tcp_tip_at_rest())
    moved_m, turned_rad = pose_of.distance(*tips)
    assert moved_m < 2e-4 and turned_rad == pytest.approx(abs(yaw_rad), abs=1e-3)
    before, after = (np.arctan2(tip[1, 0], tip[0, 0]) for tip in tips)
    assert after - before == pytest.approx(yaw_rad, abs=1e-3)


def test_starts_are_turned_to_both_sides_by_up_to_what_is_asked():
    yaws = np.rad2deg([Disturbance().start_yaw_rad(seed) for seed in range(200)])
    assert -20.0 <= yaws.min() < -17.0 and 17.0 < yaws.max() <= 20.0
    assert UNDISTURBED.start_yaw_rad(5) == 0.0 and Disturbance().start_yaw_rad(5) == Disturbance().start_yaw_rad(5)


def test_noise_is_held_for_a_period_shrinks_near_the_target_and_ends_with_the_task():
    noise = InjectedNoise(np.random.default_rng(0), 1.0)
    first = [noise.twist(t, 1.0, Phase.APPROACH) for t in (0.0, 0.5 * PERIOD_S, 1.01 * PERIOD_S)]
    np.testing.assert_array_equal(first[0], first[1])
    assert (first[1] != first[2]).all()
    near, touching = noise.twist(1.5 * PERIOD_S, 0.0, Phase.APPROACH), noise.twist(1.6 * PERIOD_S, 1.0, Phase.TOUCH)
    np.testing.assert_allclose(near, NEAR_SHARE * first[2])
    np.testing.assert_allclose(touching, NEAR_SHARE * first[2])
    assert not noise.twist(1.7 * PERIOD_S, 1.0, Phase.HOLD).any()
    drawn = np.array([noise.twist(k * PERIOD_S, 1.0, Phase.APPROACH) for k in range(2, 400)])
    assert (np.abs(drawn) <= LARGEST * NOISE + 1e-12).all() and np.allclose(drawn.std(axis=0), NOISE, rtol=0.2)


def test_strays_carry_the_hand_off_in_the_open_each_once_and_on_what_is_left_of_the_way():
    strays, step_s = Strays(np.random.default_rng(0), 3), 1.0 / 30.0
    carried = np.array([strays.twist(k * step_s, 0.1 * (1.0 - k / 300), Phase.APPROACH) for k in range(300)])
    begins = np.flatnonzero(carried.any(axis=1) & ~np.roll(carried.any(axis=1), 1))
    assert len(begins) == 3
    for k in begins:
        moved = carried[k : k + round(STRAY_S / step_s)].sum(axis=0) * step_s
        assert (np.abs(moved) <= strays.largest + 1e-9).all() and np.abs(moved[:2]).max() > 0.002
        assert 0.1 * (1.0 - k / 300) >= STRAY_LEAST_M
    near = Strays(np.random.default_rng(0), 3)
    assert not any(near.twist(k * step_s, way_m, Phase.APPROACH).any() for k, way_m in enumerate([0.1, *[0.01] * 90]))
    touching = Strays(np.random.default_rng(0), 3)
    assert not any(touching.twist(k * step_s, 0.05, Phase.TOUCH).any() for k in range(90))


def test_strays_are_across_the_approach_whichever_that_is():
    """A card comes along its reader's x: its height is what it errs in, and was carried off by a third of the rest."""
    across = {name: law_for(load_task(name), fixture_for(load_task(name).held_object)).along for name in task_names()}
    assert across.pop("card_swipe") == X and set(across.values()) == {Z}
    for along in (X, Z):
        largest = Strays(np.random.default_rng(0), 3, along=along).largest
        assert largest[along] == STRAY_ALONG_M and (np.delete(largest[:3], along) == STRAY_ACROSS_M).all()


def test_strays_turn_the_hand_about_every_axis_where_that_is_asked():
    twists = []
    for turn_rad in (0.0, 0.3):
        strays = Strays(np.random.default_rng(0), 3, turn_rad)
        way = [strays.twist(k / 30.0, 0.1 * (1.0 - k / 300), Phase.APPROACH) for k in range(300)]
        twists.append(np.array(way) * STRAY_S)
    usual, turned = twists
    np.testing.assert_array_equal(usual[:, :3], turned[:, :3])
    assert not usual[:, 3:5].any() and (np.abs(turned[:, 3:]).max(axis=0) > 0.05).all()
    assert np.abs(turned[:, 3:]).max() <= 0.3


def test_strays_are_told_by_a_file_and_one_of_others_is_refused(tmp_path):
    collect_demos.collect(TASK, 1, 0, tmp_path, "green", 1, Disturbance(strays=2))
    with safe_open(tmp_path / "episode_0000.safetensors", framework="np") as file:
        assert file.metadata()["strays"] == "2"
    with pytest.raises(VitalError, match="record into another folder"):
        collect_demos.collect(TASK, 1, 0, tmp_path, "green", 1, Disturbance(strays=3))
    with pytest.raises(VitalError, match="record into another folder"):
        collect_demos.collect(TASK, 1, 0, tmp_path, "green", 1, Disturbance(strays=2, stray_turn_deg=9.0))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--start-yaw-deg", "expected 0 to 45"),
        ("--noise", "expected 0 to 3"),
        ("--strays", "expected 0 to 20"),
        ("--stray-turn-deg", "expected 0 to 25"),
        ("--push", "expected 0 to 0.2"),
    ],
)
def test_a_disturbance_out_of_range_is_refused(tmp_path, capsys, given, words):
    with pytest.raises(SystemExit) as stopped:
        collect_demos.main(["--task", TASK, "--out", str(tmp_path / "none"), given, "99"])
    assert stopped.value.code == 2 and words in " ".join(capsys.readouterr().err.split())


HEADER = {"format": collect_demos.FORMAT, "task": TASK, "seed": "0", "rate_hz": "30", "success": "true",
          "frame": "link_tcp", "background": "green"}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"seed": str(3 * collect_demos.RETRY_STRIDE)}, None),
        ({"seed": "1e3"}, ErrorCode.BAD_DATASET),
        ({"success": "perhaps"}, ErrorCode.BAD_DATASET),
        ({"task": ""}, ErrorCode.BAD_DATASET),
        ({"author": "nobody"}, ErrorCode.BAD_DATASET),
        ({"seed": str(collect_demos.MAX_ATTEMPTS * collect_demos.RETRY_STRIDE)}, ErrorCode.BAD_PARAMETER),
        ({"seed": "-1"}, ErrorCode.BAD_PARAMETER),
    ],
)
def test_file_that_is_there_is_kept_or_refused_by_what_it_says_of_itself(tmp_path, changes, code):
    save_file({"image": np.zeros((1, 128, 128, 3), np.uint8)}, tmp_path / "episode_0000.safetensors", HEADER | changes)
    if code is None:
        assert collect_demos.collect(TASK, 1, 0, tmp_path, "green", workers=1) == 0
        return
    with pytest.raises(VitalError) as refusal:
        collect_demos.collect(TASK, 1, 0, tmp_path, "green", workers=1)
    assert refusal.value.code is code and "episode_0000" in refusal.value.message


def test_folder_of_other_disturbances_is_refused_and_one_of_before_there_were_any_goes_on(folder, tmp_path):
    with pytest.raises(VitalError, match="record into another folder"):
        collect_demos.collect(TASK, 2, 0, folder, "green", 1, Disturbance(noise=0.5))
    save_file({"image": np.zeros((1, 128, 128, 3), np.uint8)}, tmp_path / "episode_0000.safetensors", HEADER)
    assert collect_demos.collect(TASK, 1, 0, tmp_path, "green", 1, UNDISTURBED) == 0
    with pytest.raises(VitalError, match="record into another folder"):
        collect_demos.collect(TASK, 1, 0, tmp_path, "green", 1, Disturbance())


def test_unknown_task_is_refused_with_the_nearest_name(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        collect_demos.main(["--task", "usb_insertoin", "--out", str(tmp_path)])
    assert stopped.value.code == 2
    assert "usb_insertion" in capsys.readouterr().err
