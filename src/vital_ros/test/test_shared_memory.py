"""Killed nodes leave no memory behind for long, and nothing is taken from the living or from others."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ros_domain import own_domain

from vital_ros.process import shared_memory
from vital_ros.process.shared_memory import SHARED_MEMORY, free_dead_segments

HOLDER = Path(__file__).with_name("segment_holder.py")


def started() -> subprocess.Popen:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(own_domain()), "VITAL_NETWORK": "loopback"}
    environment.pop("FASTRTPS_DEFAULT_PROFILES_FILE", None)
    process = subprocess.Popen(
        [sys.executable, str(HOLDER)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    return process


def segments_of(process: subprocess.Popen) -> list[Path]:
    """Segments that the process has made: those whose lock it holds open."""
    open_files = (os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd"))
    locks = {Path(name) for name in open_files if shared_memory.LOCK_OF_SEGMENT.fullmatch(Path(name).name)}
    return [lock.with_name(lock.name.removesuffix("_el")) for lock in locks]


def make_old(segment: Path) -> None:
    """As if it had been there for a minute."""
    minute_ago_s = time.time() - 60.0
    os.utime(f"{segment}_el", (minute_ago_s, minute_ago_s))


def killed(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_node_that_is_taken_down_leaves_no_segment_though_it_has_an_action_server():
    process = started()
    try:
        (segment,) = segments_of(process)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "down\n"
        assert not segment.exists() and process.poll() is None
    finally:
        killed(process)


def test_segment_of_a_killed_process_is_freed_and_that_of_a_living_one_is_not():
    living, dead = started(), started()
    try:
        (kept,), (left,) = segments_of(living), segments_of(dead)
        make_old(kept)
        make_old(left)
        assert left.stat().st_size > 2**24
        killed(dead)
        free_dead_segments()
        assert kept.exists() and not left.exists() and not Path(f"{left}_el").exists()
    finally:
        killed(living)
        killed(dead)


def test_next_node_frees_what_a_killed_one_left():
    dead = started()
    (left,) = segments_of(dead)
    make_old(left)
    killed(dead)
    living = started()
    try:
        assert not left.exists()
    finally:
        killed(living)


def test_young_segments_and_those_of_others_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    segment = tmp_path / "fastrtps_0123456789abcdef"
    for name in (segment, Path(f"{segment}_el"), tmp_path / "fastrtps_port7411_el", tmp_path / "other_el"):
        name.touch()
    assert free_dead_segments(tmp_path) == 0
    make_old(segment)
    with monkeypatch.context() as patch:
        patch.setattr(shared_memory.os, "getuid", lambda: 4711)
        assert free_dead_segments(tmp_path) == 0
    assert free_dead_segments(tmp_path) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fastrtps_port7411_el", "other_el"]


@pytest.mark.slow
def test_fifty_kills_and_starts_leave_no_more_than_one():
    left: list[Path] = []
    for _ in range(50):
        process = started()
        left += segments_of(process)
        make_old(left[-1])
        killed(process)
    assert {segment for segment in left if segment.exists()} <= {left[-1]}
    free_dead_segments()
    assert not (SHARED_MEMORY / left[-1].name).exists()
