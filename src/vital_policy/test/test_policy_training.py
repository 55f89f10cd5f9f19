"""Trainer, checkpoint, model card and evaluation."""

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from waiting import wait_until

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_core.observation import Observation
from vital_core.task import load_task
from vital_data.dataset.dataset import load_demonstrations
from vital_data.dataset.normalisation import moved_to
from vital_policy.checkpoint import load_checkpoint
from vital_policy.cloning import train_bc
from vital_policy.cloning.loss import Loss
from vital_policy.cloning.trainer import PRESETS, TrainConfig, Trainer, learning_rate
from vital_policy.inference import LocalPolicy
from vital_policy.model_card import main
from vital_policy.network.augmentation import Augmentation, to_network
from vital_policy.network.policy import Policy
from vital_policy.runtime.network import TorchNetwork


@pytest.fixture
def demos(tmp_path: Path, write_demo) -> Path:
    for number in range(3):
        write_demo(tmp_path / "demos", number, frames=20)
    return tmp_path / "demos"


@pytest.fixture
def tiny(tiny_config) -> TrainConfig:
    return TrainConfig(
        iterations=6, batch=4, ema_decay=0.9, cosine=True, warmup=2, holdout_episodes=1, policy=tiny_config
    )


@pytest.fixture
def with_foreground(demos: Path):
    loaded = load_demonstrations([demos], "usb_insertion", 10)
    kept = np.zeros((len(loaded), 128, 16), np.uint8)
    kept[:, 40:80, 5:9] = 255
    return dataclasses.replace(loaded, foreground=kept)


def test_methods_differ_in_touch_and_backgrounds_alone():
    paper = PRESETS["paper"]
    baku, visk, vital = (paper.with_method(name) for name in ("baku", "visk", "vital_bc"))
    assert (baku.policy.touch, visk.policy.touch, vital.policy.touch) == (False, True, True)
    assert (baku.background_share, visk.background_share) == (0.0, 0.0) and vital.background_share > 0.5
    assert dataclasses.replace(vital, background_share=0.0) == visk == paper


def test_new_backgrounds_leave_the_foreground_to_the_crop_and_the_colours(tiny, with_foreground):
    config = dataclasses.replace(tiny, background_share=1.0, backgrounds=8, augmentation=Augmentation(0, 0.0, 0.0, 0.0))
    trainer = Trainer(config, with_foreground)
    index = torch.arange(4)
    seen = trainer._images(index, torch.Generator().manual_seed(1))
    plain = to_network(trainer._image[index])
    torch.testing.assert_close(seen[:, :, 40:80, 40:72], plain[:, :, 40:80, 40:72])
    assert (seen != plain).float().mean() > 0.5
    assert np.isfinite(trainer.step())


def test_backgrounds_without_a_foreground_are_refused(tiny, demos):
    with pytest.raises(ValueError, match="tell the foreground"):
        Trainer(dataclasses.replace(tiny, background_share=0.5), load_demonstrations([demos], "usb_insertion", 10))


def test_coarse_iterations_see_images_of_half_the_size_and_then_whole_ones(tiny, demos):
    config = dataclasses.replace(tiny, coarse_iterations=1)
    trainer = Trainer(config, load_demonstrations([demos], "usb_insertion", 10))
    sizes = []
    for _ in range(2):
        sizes.append(trainer._images(torch.arange(2), torch.Generator()).shape)
        trainer.step()
    assert sizes == [(2, 3, 64, 64), (2, 3, 128, 128)]
    with pytest.raises(ValueError, match="coarse_iterations is 7, expected 0 to 6"):
        dataclasses.replace(tiny, coarse_iterations=7)


def test_paper_preset_is_the_papers():
    paper = PRESETS["paper"]
    assert (paper.iterations, paper.batch, paper.learning_rate, paper.cosine) == (20_000, 256, 1e-4, False)
    assert paper.policy.transformer.dropout == 0.1


def test_images_of_an_open_hand_are_hardly_shifted_and_the_paper_s_preset_stays_as_it_is():
    closed, opened = load_task("usb_insertion"), load_task("pick_block")
    cpu, paper = PRESETS["cpu"], PRESETS["paper"]
    assert cpu.with_task(closed) == dataclasses.replace(cpu, tip_m=(0.0, 0.0, closed.tip_offset_m))
    assert paper.with_task(opened) == dataclasses.replace(paper, tip_m=(0.0, 0.0, opened.tip_offset_m))
    assert cpu.with_task(opened).augmentation == dataclasses.replace(cpu.augmentation, pad_px=1)


def test_learning_rate_warms_up_and_falls_to_a_twentieth():
    config = dataclasses.replace(PRESETS["cpu"], iterations=1000, warmup=100)
    assert learning_rate(config, 0) == pytest.approx(config.learning_rate / 100)
    assert learning_rate(config, 100) == pytest.approx(config.learning_rate)
    assert learning_rate(config, 1000) == pytest.approx(config.learning_rate / 20)


def test_trainer_learns(demos: Path, tiny: TrainConfig):
    config = dataclasses.replace(tiny, iterations=60, learning_rate=3e-3, cosine=False)
    trainer = Trainer(config, load_demonstrations(demos, "usb_insertion", 10))
    losses = [trainer.step() for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    assert trainer.validate()[0] < np.mean(losses[:5])


def test_resumed_trainer_repeats_the_losses_exactly(demos: Path, tiny: TrainConfig):
    data = load_demonstrations(demos, "usb_insertion", 10)
    whole, first, second = (Trainer(tiny, data) for _ in range(3))
    expected = [whole.step() for _ in range(6)]
    for _ in range(3):
        first.step()
    second.restore({name: value.clone() for name, value in first.state().items()}, 3)
    assert [second.step() for _ in range(3)] == expected[3:]
    for ours, theirs in zip(second.shipped_weights.values(), whole.shipped_weights.values(), strict=True):
        assert torch.equal(ours, theirs)


TRAIN = """
import dataclasses, sys
from vital_policy.cloning import train_bc
from vital_policy.cloning import trainer
from vital_policy.network.policy import PolicyConfig
from vital_policy.network.transformer import TransformerConfig
small = PolicyConfig(keypoints=8, transformer=TransformerConfig(layers=1, heads=2, width=16))
trainer.PRESETS["cpu"] = dataclasses.replace(trainer.PRESETS["paper"], batch=4, policy=small, holdout_episodes=1)
train_bc.LOG_EVERY = 1
train_bc.main(sys.argv[1:])
"""


def _train(demos: Path, out: Path, *options: str) -> list[str]:
    base = ["--task", "usb_insertion", "--demos", str(demos), "--out", str(out), "--iterations", "12", "--threads", "1"]
    base += ["--method", "visk"]
    return [sys.executable, "-c", TRAIN, *base, *options]


def _losses(out: Path) -> dict[int, float]:
    lines = (out / "usb_insertion.log.jsonl").read_text().splitlines()
    return {record["iteration"]: record["loss"] for record in map(json.loads, lines)}


def test_killed_training_goes_on_with_the_losses_it_would_have_had(demos: Path, tmp_path: Path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(_train(demos, whole), check=True, capture_output=True)
    process = subprocess.Popen(_train(demos, killed, "--save-every", "0"), stderr=subprocess.DEVNULL)
    wait_until((killed / "usb_insertion.state.safetensors").exists, "a state")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with safe_open(killed / "usb_insertion.state.safetensors", framework="pt") as file:
        reached = int(file.metadata()["iteration"])
    subprocess.run(_train(demos, killed, "--resume"), check=True, capture_output=True)
    assert reached >= 1
    assert _losses(killed) == _losses(whole)
    weights = [load_checkpoint(out / "usb_insertion.safetensors").policy.state_dict() for out in (whole, killed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert "Made by" in (whole / "usb_insertion.md").read_text()


@pytest.mark.parametrize("error", [torch.AcceleratorError("CUDA error: gone\nmore"), torch.OutOfMemoryError("no room")])
def test_a_device_that_fails_has_a_code_and_what_was_saved_goes_on(demos, tmp_path, tiny, monkeypatch, caplog, error):
    monkeypatch.setitem(PRESETS, "cpu", dataclasses.replace(tiny, holdout_episodes=1))
    options = ["--task", "usb_insertion", "--demos", str(demos), "--out", str(tmp_path / "out"), "--method", "visk"]
    options += ["--precision", "float32", "--threads", "1", "--iterations", "5", "--save-every", "0", "--resume"]
    step = Trainer.step

    def failing(trainer):
        if trainer.iteration == 3:
            raise error
        return step(trainer)

    with monkeypatch.context() as broken, pytest.raises(SystemExit) as left:
        broken.setattr(Trainer, "step", failing)
        train_bc.main(options)
    assert left.value.code == 2
    assert "[DEVICE_LOST 60] cpu failed in iteration 3 (" in caplog.text and "go on with --resume" in caplog.text
    caplog.set_level("INFO")
    train_bc.main(options)
    assert "resumed at iteration 3" in caplog.text
    assert load_checkpoint(tmp_path / "out" / "usb_insertion.safetensors").provenance.steps == 5


SHARED = TRAIN.replace(
    "holdout_episodes=1)", "holdout_episodes=1, augmentation=trainer.Augmentation(0, 0.0, 0.0, 0.0))"
).replace("width=16", "width=16, dropout=0.0")


def test_two_processes_share_a_batch_and_learn_what_one_would(demos: Path, tmp_path: Path):
    script = tmp_path / "train.py"
    script.write_text(SHARED)
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    options = [*_train(demos, alone)[3:], "--learning-rate", "1e-3"]
    subprocess.run([sys.executable, str(script), *options], check=True, capture_output=True)
    options[options.index(str(alone))] = str(shared)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*torchrun, str(script), *options], check=True, capture_output=True, timeout=180)
    assert list((shared / "tensorboard").rglob("events.*"))
    held_out = [json.loads((out / "usb_insertion.log.jsonl").read_text().splitlines()[-1]) for out in (alone, shared)]
    assert held_out[1]["iteration"] == 12
    assert held_out[1]["validation_loss"] == pytest.approx(held_out[0]["validation_loss"], rel=0.02)
    assert load_checkpoint(shared / "usb_insertion.safetensors").provenance.steps == 12


@pytest.mark.parametrize(
    "more",
    [
        ["--keep-normalisation"],
        ["--other-normalisation"],
        ["--init", "a", "--keep-normalisation", "--other-normalisation"],
        ["--init", "a", "--keep-normalisation", "--answer-at", "tip"],
    ],
)
def test_whose_normalisation_it_is_needs_the_checkpoint_and_one_answer(demos: Path, tmp_path: Path, more):
    options = ["--task", "usb_insertion", "--demos", str(demos), "--out", str(tmp_path), "--method", "visk"]
    with pytest.raises(SystemExit) as left:
        train_bc.main([*options, *more, "--iterations", "1"])
    assert left.value.code == 2


def test_training_can_begin_with_another_checkpoints_weights(tiny, demos, checkpoint_path):
    demos = load_demonstrations([demos], "usb_insertion", 10)
    checkpoint = load_checkpoint(checkpoint_path)
    policy = checkpoint.policy
    trainer = Trainer(dataclasses.replace(tiny, policy=policy.config), demos)
    with pytest.raises(ValueError, match="normalisation is not that of these demonstrations"):
        trainer.begin_with(policy, checkpoint.normaliser)
    trainer.begin_with(policy, checkpoint.normaliser, other_scale=True)
    for name, value in policy.state_dict().items():
        assert torch.equal(trainer.shipped_weights[name], value)
    other = dataclasses.replace(policy.config, keypoints=policy.config.keypoints + 1)
    with pytest.raises(ValueError, match="the checkpoint's network is"):
        Trainer(dataclasses.replace(tiny, policy=other), demos).begin_with(policy, demos.normaliser)


def test_a_policy_that_does_not_feel_may_begin_with_one_that_does_and_not_the_other_way(tiny, demos, checkpoint_path):
    demos = load_demonstrations([demos], "usb_insertion", 10)
    feeling = load_checkpoint(checkpoint_path).policy
    blind = Trainer(dataclasses.replace(tiny, policy=dataclasses.replace(feeling.config, touch=False)), demos)
    blind.begin_with(feeling, demos.normaliser)
    taken = blind.shipped_weights
    assert taken and not any(name.startswith("tactile_encoder") for name in taken)
    assert all(torch.equal(value, feeling.state_dict()[name]) for name, value in taken.items())
    with pytest.raises(ValueError, match="the checkpoint's network is"):
        Trainer(dataclasses.replace(tiny, policy=feeling.config), demos).begin_with(blind.policy, demos.normaliser)


def test_about_an_axis_that_is_held_the_hand_does_not_turn_whatever_is_seen_and_learned(tiny, demos):
    demos = load_demonstrations([demos], "usb_insertion", 10).normalised_at((0.02, 0.0, 0.05))
    trainer = Trainer(dataclasses.replace(tiny, still=("x", "ry")), demos)
    for _ in range(2):
        for weights in (trainer.shipped_weights, trainer.policy.state_dict()):
            policy = Policy(trainer.config.policy).eval()
            policy.load_state_dict(weights)
            network = TorchNetwork(policy, demos.normaliser)
            moved = moved_to(demos.normaliser.point_m, network.predict(demos.image[:8], demos.tactile_ut[:8])[0])
            assert np.abs(moved[..., [0, 4]]).max() < 1e-8 and np.abs(moved[..., [1, 2, 3, 5]]).max() > 1e-5
        trainer.step()
    centre = demos.normaliser.action_centre + 10.0 * demos.normaliser.action_half_range
    moving = dataclasses.replace(demos, normaliser=dataclasses.replace(demos.normaliser, action_centre=centre))
    with pytest.raises(ValueError, match="x is never still in the demonstrations"):
        Trainer(trainer.config, moving)


def test_errors_at_the_tip_are_those_of_answers_at_the_tip(tiny, demos):
    demos = load_demonstrations([demos], "usb_insertion", 10)
    tip_m = (0.02, 0.0, 0.05)
    tcp, tip = (
        Trainer(dataclasses.replace(tiny, loss=loss, tip_m=tip_m), of)
        for loss, of in ((Loss.TIP, demos), (Loss.VARIANCE, demos.normalised_at(tip_m)))
    )
    wrong_m = np.array([0.001, -0.002, 0.003, 0.01, -0.02, 0.03, 0.0])
    found = []
    for trainer in (tcp, tip):
        answered, wanted = (
            torch.from_numpy(trainer.normaliser.normalise_actions(actions))
            for actions in (trainer.demos.actions + wrong_m, trainer.demos.actions)
        )
        found.append(trainer._loss(answered, wanted, torch.from_numpy(trainer.demos.mask)).item())
    assert found[0] == pytest.approx(found[1], rel=1e-4) and found[0] > 0.1


def test_a_policy_that_answers_at_the_tip_is_kept_with_it_and_says_so(demos: Path, tmp_path: Path):
    out = tmp_path / "out"
    subprocess.run(_train(demos, out, "--answer-at", "tip"), check=True, capture_output=True)
    checkpoint = load_checkpoint(out / "usb_insertion.safetensors")
    task = load_task("usb_insertion")
    assert checkpoint.provenance.actions == "commanded"
    np.testing.assert_allclose(checkpoint.normaliser.point_m, (task.tip_forward_m, 0.0, task.tip_offset_m))
    card = (out / "usb_insertion.md").read_text()
    assert "mm from the TCP in its frame" in card and "| imitated | commanded actions |" in card


def test_resume_of_another_run_is_refused(demos: Path, tmp_path: Path):
    out = tmp_path / "out"
    subprocess.run(_train(demos, out), check=True, capture_output=True)
    for other in (("--seed", "5"), ("--answer-at", "tip")):
        done = subprocess.run(_train(demos, out, "--resume", *other), capture_output=True, text=True)
        assert done.returncode == 2 and "BAD_PARAMETER" in done.stderr and "Traceback" not in done.stderr


def test_training_without_demonstrations_is_one_clear_line(tmp_path: Path):
    done = subprocess.run(_train(tmp_path / "none", tmp_path / "out"), capture_output=True, text=True)
    assert done.returncode == 2 and "has no session.json" in done.stderr and "Traceback" not in done.stderr


def test_full_checkpoint_is_small_and_comes_back(tmp_path: Path, new_checkpoint):
    path = new_checkpoint(tmp_path / "usb_insertion.safetensors", Policy().config)
    assert path.stat().st_size < 20e6
    checkpoint = load_checkpoint(path, task="usb_insertion", rate_hz=6.0)
    assert checkpoint.policy.parameter_count() == 7_599_494
    assert checkpoint.provenance.seed == 7 and checkpoint.provenance.steps == 123
    assert len(checkpoint.sha256) == 64


def test_missing_checkpoint_names_the_path_and_the_command(tmp_path: Path):
    with pytest.raises(VitalError) as refused:
        load_checkpoint(tmp_path / "usb_insertion.safetensors", task="usb_insertion")
    assert refused.value.code is ErrorCode.NO_CHECKPOINT
    assert "train_bc --task usb_insertion" in refused.value.message and str(tmp_path) in refused.value.message


def _rewrite(path: Path, header: dict[str, str | None], tensors: dict[str, torch.Tensor] | None = None) -> None:
    """The file with another content, and the hash of that."""
    with safe_open(path, framework="pt") as file:
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        changed = {**file.metadata(), **header}
    source = Source("test", ErrorCode.INTERNAL, "")
    metadata = {k: v for k, v in changed.items() if v is not None}
    path.write_bytes(weight_file.sealed(save({**kept, **(tensors or {})}), metadata, source))


@pytest.mark.parametrize(
    ("header", "tensors", "said"),
    [
        ({"task": "plug_in_socket"}, {}, "task is 'plug_in_socket', expected 'usb_insertion'"),
        ({"frame": "link_base"}, {}, "frame is 'link_base'"),
        ({"control_rate_hz": "10"}, {}, "control_rate_hz is '10.0', expected '6.0'"),
        ({"image_size_px": "96"}, {}, "image_size_px is '96'"),
        ({"format": "vital_policy/0"}, {}, "format is"),
        ({"normalisation": None}, {}, "lacks normalisation"),
        ({"normalisation": '{"action_centre": [0]}'}, {}, "normalisation.action_centre is [0]"),
        ({"ensemble_decay": "NaN"}, {}, "cannot be read"),
        ({"ensemble_decay": "1e300"}, {}, "ensemble_decay is 1e+300"),
        ({"provenance": '{"seed": "7"}'}, {}, "provenance.seed is '7', expected `int`"),
        ({"beyond": "1"}, {}, "'beyond' is unknown"),
        ({"policy": "[" * 5000}, {}, "cannot be read"),
        ({}, {"action_token": torch.zeros(16)}, "action_token is of F32, expected F16"),
        ({"policy": '{"touch": false}'}, {}, "does not match its own hash"),
        ({}, {"action_token": torch.zeros(3).half()}, "action_token has shape (3,), expected (16,)"),
        ({}, {"action_token": torch.full((16,), torch.nan).half()}, "not finite"),
    ],
)
def test_checkpoint_that_does_not_fit_is_refused(checkpoint_path: Path, header, tensors, said):
    _rewrite(checkpoint_path, header, tensors)
    with pytest.raises(VitalError) as refused:
        load_checkpoint(checkpoint_path, task="usb_insertion", rate_hz=6.0)
    assert refused.value.code is ErrorCode.BAD_CHECKPOINT and said in refused.value.message


def test_damaged_checkpoint_is_refused(checkpoint_path: Path):
    checkpoint_path.write_bytes(checkpoint_path.read_bytes()[:5000])
    with pytest.raises(VitalError) as refused:
        load_checkpoint(checkpoint_path)
    assert refused.value.code is ErrorCode.BAD_CHECKPOINT


def test_policy_forgets_the_last_episode(checkpoint_path: Path):
    policy, rng = LocalPolicy.load(checkpoint_path), np.random.default_rng(0)
    seen = [
        Observation(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8), rng.normal(0, 50, 15).astype(np.float32))
        for _ in range(4)
    ]
    first = [policy.act(o).to_array() for o in seen]
    policy.reset()
    np.testing.assert_array_equal(first, [policy.act(o).to_array() for o in seen])


def test_batched_inference_is_the_same_code_path(checkpoint_path: Path):
    policy, rng = LocalPolicy.load(checkpoint_path), np.random.default_rng(0)
    image, tactile = rng.integers(0, 256, (3, 128, 128, 3), dtype=np.uint8), rng.normal(0, 50, (3, 15))
    together = policy.predict(image, tactile)[0]
    alone = np.concatenate([policy.predict(image[i : i + 1], tactile[i : i + 1])[0] for i in range(3)])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def found(setting="scene", **policy):
    report = {"successes": 4, "finished": 7, "success_rate": 4 / 7, "wilson_95": (0.25, 0.84), "setting": setting}
    report |= {"task": "usb_insertion", "policy": policy}
    return report | {"seed": 1000, "failures": {"missed": 3}, "command": f"evaluate --setting {setting}"}


def test_a_whole_episode_at_once_is_answered_as_tick_by_tick(checkpoint_path):
    policy, rng = LocalPolicy.load(checkpoint_path), np.random.default_rng(0)
    image = rng.integers(0, 255, (70, 128, 128, 3), dtype=np.uint8)
    tactile_ut = rng.normal(0, 30, (70, 15)).astype(np.float32)
    one_by_one = [policy.answer(Observation(i, t)) for i, t in zip(image, tactile_ut, strict=True)]
    actions, z = policy.answers_along(image, tactile_ut)
    np.testing.assert_allclose(actions, [action for action, _ in one_by_one], atol=1e-6)
    torch.testing.assert_close(z, torch.cat([z for _, z in one_by_one]), atol=1e-5, rtol=1e-4)


def test_card_tells_what_was_measured(checkpoint_path: Path, tmp_path: Path):
    report = tmp_path / "report.json"
    report.write_text(json.dumps(found(sha256=load_checkpoint(checkpoint_path).sha256)))
    main([str(checkpoint_path), str(report)])
    card = checkpoint_path.with_suffix(".md").read_text()
    assert "| scene | 4 of 7 | 25 to 84 % | missed 3 |" in card and "Seeds from 1000" in card


def test_card_refuses_a_report_of_another_file(checkpoint_path: Path, tmp_path: Path, caplog):
    report = tmp_path / "report.json"
    report.write_text(json.dumps(found(sha256="other")))
    with pytest.raises(SystemExit) as ended:
        main([str(checkpoint_path), str(report)])
    assert ended.value.code == 2 and "is of sha256 other" in caplog.text
    assert not checkpoint_path.with_suffix(".md").exists()
