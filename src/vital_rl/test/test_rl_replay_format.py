"""A replay that an earlier version wrote: two episodes with labels, one of them disputed, and one left open."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from vital_rl.replay.replay_store import INTERRUPTED, ReplayStore
from vital_rl.replay.step import PNG_BEGINS, ReplayStep, to_record

WRITTEN = Path(__file__).parent / "data" / "replay_of_format_1"


def written_step(number: int, *, foreground: bool) -> ReplayStep:
    """The step that stands there: three an episode, the second of each a person's."""
    image = np.full((128, 128, 3), 7 * number, np.uint8)
    image[10 * number : 10 * number + 4, 30:34] = (255, 3 * number, 128)
    numbers = [
        np.arange(count, dtype=np.float32) * 0.01 * (number + 1) + place for place, count in enumerate((15, 7, 7, 7))
    ]
    shown = np.zeros((128, 16), np.uint8)
    shown[number : 2 * number + 8, 3] = 0b10110001
    return ReplayStep(
        image, *numbers, owner="teleop" if number % 3 == 1 else "policy", weights_version=number,
        stamp_ns=10**18 + number, steady_ns=5 * 10**9 + number,
        distance_m=0.125 * number if number else float("nan"), foreground=shown if foreground else None,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> ReplayStore:
    shutil.copytree(WRITTEN, tmp_path / "replay")
    return ReplayStore(tmp_path / "replay")


def test_episodes_come_back_with_their_ends_and_labels(store):
    told = [(e.about["seed"], e.reason, e.terminated, e.success, e.disputed) for e in store.episodes]
    assert told == [
        (40, "success", True, True, False), (41, "time", False, False, True), (42, INTERRUPTED, False, None, False),
    ]  # fmt: skip
    assert store.lost_bytes == 0 and [e.number for e in store.read_since(0).episodes] == [0]


def test_steps_come_back_to_the_last_bit(store):
    for episode in range(3):
        for index, step in enumerate(store.read_steps(episode)):
            expected = written_step(3 * episode + index, foreground=episode == 0)
            for name in ("image", "tactile_ut", "base", "residual", "executed", "foreground"):
                np.testing.assert_array_equal(getattr(step, name), getattr(expected, name), name)
            for name in ("owner", "weights_version", "stamp_ns", "steady_ns", "distance_m"):
                np.testing.assert_equal(getattr(step, name), getattr(expected, name), name)


def test_records_are_written_as_they_were_but_for_how_the_image_is_packed(store):
    for episode in range(3):
        for index, record in enumerate(store.read_records(episode)):
            again = to_record(episode, index, written_step(3 * episode + index, foreground=episode == 0))
            image_at = record.index(PNG_BEGINS)
            assert again.index(PNG_BEGINS) == image_at and again[:image_at] == record[:image_at]
