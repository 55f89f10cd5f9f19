"""The policy as it is evaluated, and the card of what was measured."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import Observation
from vital_policy.checkpoint import load_checkpoint, save_checkpoint
from vital_policy.inference import LocalPolicy
from vital_policy.shipped import checkpoint_folder
from vital_rl.acting import evaluated
from vital_rl.residual.networks import ActorConfig, ResidualActor
from vital_rl.residual.residual import Residual, ResidualSettings, save_residual
from vital_rl.residual.residual_card import main

HOME = pose_of.point_down((0.45, 0.0, 0.2))


def test_evaluated_policy_keeps_episodes_apart_and_answers_as_the_robot_would(checkpoint_path: Path):
    rng = np.random.default_rng(3)
    seen = [
        Observation(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8), rng.normal(0, 50, 15).astype(np.float32))
        for _ in range(4)
    ]
    policy = evaluated.load(checkpoint_path, "usb_insertion")
    first, second = policy.begin(), policy.begin()
    alone = LocalPolicy.load(checkpoint_path)
    for one, other in ((seen[0], seen[1]), (seen[2], seen[3])):
        together = policy.act([one, other], [first, second])[0].to_array()
        np.testing.assert_allclose(together, alone.act(one).to_array(), atol=1e-6)
    assert policy.describe()["sha256"] == alone.checkpoint.sha256


def found(setting="scene", **policy):
    report = {"successes": 4, "finished": 7, "success_rate": 4 / 7, "wilson_95": (0.25, 0.84), "setting": setting}
    report |= {"task": "usb_insertion", "policy": policy}
    return report | {"seed": 1000, "failures": {"missed": 3}, "command": f"evaluate --setting {setting}"}


def test_card_tells_what_was_measured(checkpoint_path: Path):
    evaluated.load(checkpoint_path, "usb_insertion").write_card(found())
    card = checkpoint_path.with_suffix(".md").read_text()
    assert "| scene | 4 of 7 | 25 to 84 % | missed 3 |" in card and "Seeds from 1000" in card


def test_card_of_a_residual_is_its_own_and_knows_its_base(checkpoint_path: Path, tmp_path: Path):
    base, checkpoint = checkpoint_path, load_checkpoint(checkpoint_path)
    actor = ResidualActor(ActorConfig(features=checkpoint.feature_size))
    path = base.with_name("usb_insertion_residual.safetensors")
    save_residual(path, dataclasses.replace(Residual.untrained(checkpoint, actor), version=7, steps=900))
    policy = evaluated.load(base, "usb_insertion", residual=str(path))
    policy.write_card(found())
    assert not base.with_suffix(".md").exists()
    reports = [tmp_path / "a.json", tmp_path / "b.json"]
    for report, setting in zip(reports, ("in_domain", "both"), strict=True):
        report.write_text(json.dumps(found(setting, **policy.describe())))
    main([str(path), *map(str, reports)])
    card = path.with_suffix(".md").read_text()
    assert checkpoint.sha256 in card and "900 steps" in card and "evaluate --setting both" in card
    assert card.index("| in_domain | 4 of 7") < card.index("| both | 4 of 7")
    reports[0].write_text(json.dumps(found(residual_sha256="other")))
    with pytest.raises(SystemExit):
        main([str(path), str(reports[0])])


def residual_of(path_of_base: Path, folder: Path, settings: ResidualSettings) -> Path:
    checkpoint = load_checkpoint(path_of_base)
    actor = ResidualActor(ActorConfig(features=checkpoint.feature_size))
    path = folder / "usb_insertion_residual.safetensors"
    save_residual(path, Residual.untrained(checkpoint, actor, settings))
    return path


def test_a_residual_without_a_base_is_known_as_rlpd(checkpoint_path: Path, tmp_path: Path):
    for settings, method in ((ResidualSettings(), "vital"), (ResidualSettings(share=1.0, base=False), "rlpd")):
        path = residual_of(checkpoint_path, tmp_path, settings)
        policy = evaluated.load(checkpoint_path, "usb_insertion", residual=str(path))
        assert policy.describe()["method"] == method


def test_a_blind_base_answers_as_if_nothing_touched_and_a_seeing_one_does_not(checkpoint_path: Path, tmp_path: Path):
    rng = np.random.default_rng(4)
    image, touch = rng.integers(0, 256, (128, 128, 3), dtype=np.uint8), np.full(15, 400.0, np.float32)
    answers = {}
    for blind in (True, False):
        path = residual_of(checkpoint_path, tmp_path, ResidualSettings(touch=False, base_touch=not blind))
        policy = evaluated.load(checkpoint_path, "usb_insertion", residual=str(path), runtime="torch")
        torch.manual_seed(0)
        torch.nn.init.normal_(policy._policy.checkpoint.policy.head[-2].weight)
        for felt in (touch, np.zeros_like(touch)):
            seen = Observation(image, felt)
            (action,) = policy.act([seen], [policy.begin()])
            policy._policy.reset()
            np.testing.assert_allclose(action.to_array(), policy._policy.act(seen).to_array(), atol=1e-6)
            answers[blind, bool(felt.any())] = action.to_array()
        assert policy.describe()["touch"] is not blind
    np.testing.assert_array_equal(answers[True, True], answers[True, False])
    assert np.abs(answers[False, True] - answers[False, False]).max() > 1e-6
    np.testing.assert_allclose(answers[True, True], answers[False, False], atol=1e-6)


def test_each_episode_waits_for_its_own_arm_and_only_under_a_residual(checkpoint_path: Path, tmp_path: Path):
    """One arm is prompt, the other has not moved yet."""
    image, touch = np.zeros((128, 128, 3), np.uint8), np.zeros(15, np.float32)
    path = residual_of(checkpoint_path, tmp_path, ResidualSettings())
    for residual in (str(path), None):
        policy = evaluated.load(checkpoint_path, "usb_insertion", residual=residual, runtime="torch")
        torch.manual_seed(0)
        torch.nn.init.normal_(policy._policy.checkpoint.policy.head[-2].weight)
        memories, poses = [policy.begin(), policy.begin()], [HOME, HOME]
        for tick in range(4):
            seen = [Observation(image, touch, t_base_tcp=pose) for pose in poses]
            prompt, late = policy.act(seen, memories)
            assert prompt.translation_m.any() or prompt.rotation_rad.any()
            waits = residual is not None and tick > 0
            assert (late.translation_m.any() or late.rotation_rad.any()) != waits
            poses[0] = poses[0] @ prompt.delta_tcp


def test_a_blind_base_under_a_feeling_residual_is_refused():
    with pytest.raises(ValueError, match="base_touch is False with touch True"):
        ResidualSettings(base_touch=False)


def test_a_policy_is_measured_in_the_view_that_it_knows_and_refused_in_another(checkpoint_path: Path, tmp_path: Path):
    path = tmp_path / "fisheye.safetensors"
    save_checkpoint(path, dataclasses.replace(load_checkpoint(checkpoint_path), wrist_view="fisheye"))
    assert evaluated.load(path, "usb_insertion", wrist_view="fisheye").describe()["wrist_view"] == "fisheye"
    for file, view in ((path, {}), (checkpoint_path, {"wrist_view": "fisheye"})):
        with pytest.raises(VitalError, match="wrist_view is") as refused:
            evaluated.load(file, "usb_insertion", **view)
        assert refused.value.code is ErrorCode.BAD_CHECKPOINT


@pytest.mark.slow
@pytest.mark.parametrize("task", ["usb_insertion", "plug_in_socket"])
def test_a_shipped_policy_with_its_residual_acts_alike_in_either_runtime(task: str):
    folder, rng = checkpoint_folder(), np.random.default_rng(5)
    residual = str(folder / f"{task}_residual.safetensors")
    fast, plain = (
        evaluated.load(folder / f"{task}.safetensors", task, residual=residual, runtime=runtime)
        for runtime in ("onnxruntime", "torch")
    )
    assert (fast.describe()["runtime"], plain.describe()["runtime"]) == ("onnxruntime", "torch")
    memories = fast.begin(), plain.begin()
    for _ in range(5):
        image = rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)
        seen = Observation(image, rng.normal(0, 200, 15).astype(np.float32))
        (one,), (other,) = (p.act([seen], [m]) for p, m in zip((fast, plain), memories, strict=True))
        np.testing.assert_allclose(one.to_array(), other.to_array(), rtol=0, atol=1e-5)  # m, rad
