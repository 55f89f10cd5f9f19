"""The policy as it is evaluated, and the card of what was measured."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from vital_core.observation import Observation
from vital_policy.checkpoint import load_checkpoint
from vital_policy.inference import LocalPolicy
from vital_rl.acting import evaluated
from vital_rl.residual.networks import ActorConfig, ResidualActor
from vital_rl.residual.residual import Residual, save_residual
from vital_rl.residual.residual_card import main


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
