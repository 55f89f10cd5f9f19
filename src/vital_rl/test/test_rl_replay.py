"""The replay on disk: nothing acknowledged is lost, nothing unlabelled is read, and a dispute keeps an episode back."""

import dataclasses
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_rl.replay.replay_log import ReplayLog, chunk_path
from vital_rl.replay.replay_store import INTERRUPTED, LabelVerdict, ReplayStore
from vital_rl.replay.step import ReplayStep, from_record, place_of, to_record

WRITER = """
import sys
from test_rl_replay import some_step
from vital_rl.replay.replay_store import ReplayStore
store = ReplayStore(sys.argv[1], chunk_bytes=200_000)
print("ready", flush=True)
while True:
    episode = store.open_episode({})
    for index in range(6):
        store.append(episode, some_step(100 * episode + index))
        print(episode, index, flush=True)
    store.close_episode(episode, "success", terminated=True)
    store.label(episode, True, "test")
    print(episode, "done", flush=True)
"""


def some_step(seed=0):
    rng = np.random.default_rng(seed)
    image = np.full((128, 128, 3), seed % 256, np.uint8)
    image[40:80, 40:80] = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
    numbers = [rng.normal(size=n).astype(np.float32) for n in (15, 7, 7, 7)]
    return ReplayStep(image, *numbers, owner="teleop", weights_version=seed, stamp_ns=seed, distance_m=0.5)


def filled(folder, episodes=3, steps=4, label=True, owner="teleop", **options):
    store = ReplayStore(folder, **options)
    for e in range(episodes):
        number = store.open_episode({"seed": e})
        for i in range(steps):
            store.append(number, dataclasses.replace(some_step(10 * number + i), owner=owner))
        store.close_episode(number, "success", terminated=True)
        if label:
            store.label(number, True, "test")
    return store


def test_step_comes_back_to_the_last_bit():
    step = some_step(7)
    data = to_record(3, 9, step)
    again = from_record(data)
    assert place_of(data) == (3, 9)
    for name in ("image", "tactile_ut", "base", "residual", "executed"):
        np.testing.assert_array_equal(getattr(again, name), getattr(step, name))
    assert (again.owner, again.weights_version, again.stamp_ns, again.distance_m) == ("teleop", 7, 7, 0.5)


def test_foreground_goes_with_the_image():
    shown = np.random.default_rng(1).integers(0, 255, (128, 16), dtype=np.uint8)
    step = dataclasses.replace(some_step(7), foreground=shown)
    again = from_record(to_record(0, 0, step))
    np.testing.assert_array_equal(again.foreground, shown)
    np.testing.assert_array_equal(again.image, step.image)
    assert from_record(to_record(0, 0, some_step())).foreground is None
    with pytest.raises(VitalError, match="foreground of a step"):
        dataclasses.replace(step, foreground=shown[:100])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tactile_ut": np.full(15, 2e6, np.float32)}, "tactile_ut reaches 2e\\+06"),
        ({"executed": np.full(7, -11.0, np.float32)}, "executed reaches 11"),
        ({"distance_m": float("inf")}, "distance_m is inf"),
    ],
)
def test_numbers_that_no_sensor_or_arm_has_are_not_plausible(changed, said):
    some_step().check_plausible()
    with pytest.raises(VitalError, match=said):
        dataclasses.replace(some_step(), **changed).check_plausible()


def test_step_that_is_not_finite_or_of_another_size_is_refused():
    good = some_step()
    with pytest.raises(VitalError, match="base of a step is"):
        ReplayStep(good.image, good.tactile_ut, np.full(7, np.nan), good.residual, good.executed)
    with pytest.raises(VitalError, match=r"image of a step is \(64, 64, 3\)"):
        ReplayStep(good.image[:64, :64], good.tactile_ut, good.base, good.residual, good.executed)


def test_nothing_is_read_before_it_is_closed_and_labelled(tmp_path):
    store = ReplayStore(tmp_path)
    number = store.open_episode({})
    store.append(number, some_step(0))
    store.append(number, some_step(1))
    assert store.label(number, True, "button") is LabelVerdict.STILL_OPEN
    store.close_episode(number, "time")
    assert store.read_since(0).episodes == ()
    assert store.label(number, False, "button") is LabelVerdict.TAKEN
    released = store.read_since(0)
    assert [e.number for e in released.episodes] == [number] and released.cursor == 1
    assert store.read_since(released.cursor).episodes == ()
    np.testing.assert_array_equal(store.read_steps(number)[1].image, some_step(1).image)


def test_labels_that_disagree_keep_the_episode_back_until_somebody_decides(tmp_path):
    store = filled(tmp_path, episodes=1)
    assert store.label(0, True, "keyboard") is LabelVerdict.SAME
    assert store.label(0, False, "keyboard") is LabelVerdict.DISAGREES
    assert store.read_since(0).episodes == ()
    assert ReplayStore(tmp_path).read_since(0).episodes == ()
    assert store.label(0, False, "keyboard", relabel=True) is LabelVerdict.REPLACED
    assert [e.success for e in store.read_since(0).episodes] == [False]


def test_label_of_an_unknown_episode_changes_nothing(tmp_path):
    store = filled(tmp_path, episodes=1)
    before = store.size_bytes
    assert store.label(99, True, "button") is LabelVerdict.UNKNOWN_EPISODE and store.size_bytes == before


def test_steps_go_into_open_episodes_only(tmp_path):
    store = filled(tmp_path, episodes=1)
    for number, words in ((0, "was closed"), (5, "is unknown")):
        with pytest.raises(VitalError, match=words):
            store.append(number, some_step())


def test_record_that_came_before_is_kept_once_and_one_that_is_missing_before_it_is_said(tmp_path):
    store = ReplayStore(tmp_path)
    number = store.open_episode({})
    records = [to_record(number, index, some_step(index)) for index in range(3)]
    assert [store.append_record(records[k]) for k in (0, 0, 1)] == [True, False, True]
    assert store.read_records(number) == records[:2]
    with pytest.raises(VitalError, match=f"step 3 of episode {number} came, expected 2"):
        store.append_record(to_record(number, 3, some_step()))
    with pytest.raises(VitalError, match="episode 9 is unknown"):
        store.append_record(to_record(9, 0, some_step()))


def test_reopened_store_holds_the_same_and_closes_what_was_open(tmp_path):
    store = filled(tmp_path)
    number = store.open_episode({})
    store.append(number, some_step(1))
    store.append(number, some_step(2))
    again = ReplayStore(tmp_path)
    assert [e.number for e in again.read_since(0).episodes] == [0, 1, 2]
    assert again.episode(number).reason == INTERRUPTED and not again.episode(number).terminated
    assert again.label(number, False, "button") is LabelVerdict.TAKEN
    assert again.read_since(3).episodes[0].number == number


def test_cursor_survives_eviction_and_a_restart(tmp_path):
    store = filled(tmp_path, episodes=8, steps=5, capacity=20, chunk_bytes=60_000)
    assert store.steps <= 20
    kept = [e.number for e in store.read_since(0).episodes]
    assert kept == [4, 5, 6, 7] and store.read_since(6).episodes[0].number == 6
    again = ReplayStore(tmp_path, capacity=20, chunk_bytes=60_000)
    assert [e.number for e in again.read_since(0).episodes] == kept
    assert [e.number for e in again.read_since(6).episodes] == [6, 7]
    assert len(again.read_steps(7)) == 5
    assert not chunk_path(tmp_path, 0).exists()


def test_truncated_at_any_byte_only_the_tail_is_lost(tmp_path):
    filled(tmp_path / "whole", episodes=3, steps=3).close()
    data = chunk_path(tmp_path / "whole", 0).read_bytes()
    cuts = np.random.default_rng(0).integers(0, len(data), 60)
    for i, cut in enumerate(sorted(cuts)):
        folder = tmp_path / str(i)
        folder.mkdir()
        chunk_path(folder, 0).write_bytes(data[:cut])
        store = ReplayStore(folder)
        for episode in store.read_since(0).episodes:
            assert len(store.read_steps(episode.number)) == 3
        number = store.open_episode({})
        store.append(number, some_step(5))
        store.close()
        assert len(ReplayStore(folder).read_steps(number)) == 1


def test_damage_in_the_middle_costs_that_chunks_rest_and_is_told(tmp_path):
    filled(tmp_path, episodes=6, steps=4, chunk_bytes=50_000).close()
    path = chunk_path(tmp_path, 1)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    store = ReplayStore(tmp_path, chunk_bytes=50_000)
    assert store.lost_bytes > 0
    assert 5 in [e.number for e in store.read_since(0).episodes]


@pytest.mark.parametrize("attempt", range(4))
def test_killed_writer_loses_nothing_that_it_was_told_is_safe(tmp_path, attempt):
    path = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    )
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.05 + 0.13 * attempt)
    process.send_signal(signal.SIGKILL)
    lines = process.stdout.read().decode().split("\n")[:-1]
    store = ReplayStore(tmp_path)
    finished = {e.number for e in store.read_since(0, 10_000).episodes}
    for line in lines:
        episode, what = line.split()
        if what == "done":
            assert int(episode) in finished
        else:
            step = store.read_steps(int(episode))[int(what)]
            np.testing.assert_array_equal(step.image, some_step(100 * int(episode) + int(what)).image)


def test_full_disk_refuses_the_step_and_leaves_the_log_as_it_was(tmp_path):
    store = filled(tmp_path, episodes=1)
    number = store.open_episode({})
    before = store.size_bytes
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before + 500, limits[1]))
        with pytest.raises(VitalError) as refused:
            store.append(number, some_step(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert refused.value.code is ErrorCode.DISK_FULL and store.size_bytes == before
    assert store.append(number, some_step(1)) == 0
    assert len(ReplayStore(tmp_path).read_steps(number)) == 1


def test_record_that_is_too_large_is_refused(tmp_path):
    log = ReplayLog(tmp_path)
    assert list(log.recover()) == []
    with pytest.raises(VitalError, match="expected at most"):
        log.append(2, bytes(5_000_000))
