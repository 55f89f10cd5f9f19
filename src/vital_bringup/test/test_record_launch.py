"""The real record launch file: a scripted operator's episode comes through teleoperation, gate and recorder."""

import os
import subprocess

import pytest
from ros_domain import own_domain

from vital_data.dataset.dataset import load_demonstrations
from vital_data.files.session import Session

TIMEOUT_S = 240


def record(folder, *arguments):
    command = ["ros2", "launch", "vital_bringup", "record.launch.py", f"session:={folder}", *arguments]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(own_domain()), "PYTHONUNBUFFERED": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)


@pytest.mark.timing
def test_scripted_session_is_recorded_and_can_be_learned_from(tmp_path):
    folder = tmp_path / "session"
    done = record(folder, "operator:=scripted", "episodes:=1", "seed:=4")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "1 of 1 demonstrations" in done.stdout + done.stderr
    entries = Session.open(folder).episodes()
    usable = [entry for entry in entries if entry.usable]
    assert len(usable) == 1
    demos = load_demonstrations([folder], "usb_insertion", 10)
    assert demos.image.shape[1:] == (128, 128, 3) and len(demos) > 60
    # Of every chunk's steps those may be missing whose pose came late on a busy machine, and those past the end.
    assert demos.mask[:, 0].all() and demos.mask[: len(demos) // 2].mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["task:=make_tea"], "UNKNOWN_TASK 10"),
        (["operator:=scripted", "hardware:=mock"], "use hardware:=sim"),
        (["device:=theremin"], "theremin"),
        (["episodes:=all"], "episodes:=all"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_anything_starts(tmp_path, arguments, words):
    done = record(tmp_path / "session", *arguments)
    output = done.stdout + done.stderr
    assert done.returncode == 1 and words in output
    assert "Traceback" not in output and "process started" not in output
