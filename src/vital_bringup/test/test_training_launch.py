"""The real training launch file: episodes are played, labelled by the true outcome, learned from, and gone on with."""

import os
import subprocess

import pytest
from ros_domain import own_domain

from vital_policy.checkpoint import load_checkpoint
from vital_policy.shipped import checkpoint_folder
from vital_rl.replay.replay_store import ReplayStore
from vital_rl.residual.residual import load_residual

TIMEOUT_S = 240


def train(folder, *arguments):
    command = ["ros2", "launch", "vital_bringup", "residual_training.launch.py", f"folder:={folder}", *arguments]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(own_domain()), "PYTHONUNBUFFERED": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)


def test_training_learns_ends_and_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "training"
    done = train(folder, "steps:=10", "updates_per_step:=2", "dense:=true")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    again = train(folder, "steps:=70", "updates_per_step:=2", "dense:=true")
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    store = ReplayStore(folder / "replay")
    assert store.transitions >= 70
    assert all(e.success is not None and e.about["task"] == "usb_insertion" for e in store.episodes)
    rows = store.read_steps(0)
    assert rows[0].distance_m > 0.05 and all(0.0 < row.distance_m < 0.3 for row in rows)
    assert len({e.about["seed"] for e in store.episodes}) == len(store.episodes) >= 2
    checkpoint = load_checkpoint(checkpoint_folder() / "usb_insertion.safetensors")
    residual = load_residual(folder / "usb_insertion_residual.safetensors", checkpoint)
    assert residual.steps > 0 and residual.version > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["task:=make_tea"], "UNKNOWN_TASK 10"),
        (["steps:=many"], "steps:=many"),
        (["labeller:=nobody"], "nobody"),
        (["labeller:=sim_truth", "hardware:=mock"], "only a simulator knows"),
        (["hardware:=robot"], "xarm_controller"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_starts(tmp_path, arguments, words):
    done = train(tmp_path / "training", *arguments)
    output = done.stdout + done.stderr
    assert done.returncode == 1 and words in output
    assert "Traceback" not in output and "process started" not in output
