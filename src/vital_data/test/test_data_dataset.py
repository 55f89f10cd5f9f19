"""Sessions on disk become the training set: what is used, what is left out, and the normaliser beside it."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import WINDOW
from vital_data.convert.session_writer import SessionWriter
from vital_data.dataset import synthetic
from vital_data.dataset.actions import ActionSource
from vital_data.dataset.aligned_episode import AlignmentConfig, align
from vital_data.dataset.dataset import load_demonstrations
from vital_data.dataset.normalisation import FILE_NAME, Normaliser
from vital_data.files import layout
from vital_data.files.streams import IMAGE_TOPIC

TASK = "usb_insertion"


def write_session(
    folder: Path, frames: tuple[int, ...] = (40, 47, 40), task: str = TASK, about: dict | None = None, **entries: dict
) -> Path:
    """A session of made-up episodes; ``entries`` by `episode_<n>` say what the index tells of one."""
    writer = SessionWriter(folder, task, about or {})
    for number, count in enumerate(frames):
        writer.add(synthetic.streams(count, number), entries.get(f"episode_{number}", {}))
    return folder


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    return write_session(tmp_path_factory.mktemp("sessions") / "one")


def test_all_phase_offsets_are_used_and_arrays_keep_their_contract(session):
    demos = load_demonstrations(session, TASK, 10)
    assert demos.episodes == 3 and demos.names == tuple(f"one/episode_{n:04d}" for n in range(3))
    usable = [align("e", synthetic.streams(n, i), AlignmentConfig()).valid.sum() for i, n in enumerate((40, 47, 40))]
    assert [int((demos.episode == i).sum()) for i in range(3)] == [int(n) for n in usable]
    assert demos.image.shape[1:] == (128, 128, 3) and demos.image.dtype == np.uint8
    assert demos.tactile_ut.shape == (len(demos), 15) and demos.tactile_ut.dtype == np.float32
    assert demos.actions.shape == (len(demos), 10, 7) and demos.mask.shape == (len(demos), 10)
    assert demos.mask[:, 0].all() and not demos.mask[-1, 1:].any()


def test_images_and_readings_are_those_of_the_recording(session):
    demos = load_demonstrations(session, TASK, 10)
    streams = synthetic.streams(47, 1)
    aligned = align("e", streams, AlignmentConfig())
    used = aligned.valid & aligned.observed
    np.testing.assert_array_equal(demos.image[demos.episode == 1], streams[IMAGE_TOPIC].values["image"][used])
    np.testing.assert_array_equal(demos.tactile_ut[demos.episode == 1], aligned.tactile_ut[used])
    np.testing.assert_allclose(demos.actions[demos.episode == 1][:, 0], aligned.actions[used], atol=1e-12)


def test_loading_is_repeatable_and_the_hash_follows_content_and_settings(session, tmp_path):
    first, second = (load_demonstrations(session, TASK, 10) for _ in range(2))
    for name in ("image", "tactile_ut", "actions", "mask", "episode"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.sha256 == second.sha256
    others = [
        load_demonstrations(session, TASK, 8),
        load_demonstrations(session, TASK, 10, ActionSource.MEASURED),
        load_demonstrations(write_session(tmp_path / "one", (40, 47)), TASK, 10),
        load_demonstrations([session, write_session(tmp_path / "two", (40,))], TASK, 10),
    ]
    assert len({first.sha256, *(other.sha256 for other in others)}) == 5
    assert others[3].episodes == 4


def test_what_was_demonstrated_is_taken_where_every_episode_tells_it(tmp_path):
    writer = SessionWriter(tmp_path / "s", TASK, {})
    writer.add(synthetic.streams(40, 0, labels=True), {})
    assert load_demonstrations(tmp_path / "s", TASK).action_source is ActionSource.DEMONSTRATED
    writer.add(synthetic.streams(40, 1), {})
    assert load_demonstrations(tmp_path / "s", TASK).action_source is ActionSource.COMMANDED
    with pytest.raises(VitalError, match=r"episode_0001.*tcp_intended"):
        load_demonstrations(tmp_path / "s", TASK, action_source=ActionSource.INTENDED)


UNUSABLE = {
    "episode_0": {"faults": ["wrist camera frozen for 0.8 s"]},
    "episode_1": {"outcome": "failure"},
    "episode_2": {"redo": True},
}


def test_unusable_episodes_are_left_out_and_named(tmp_path, caplog):
    session = write_session(tmp_path / "s", (40, 40, 40, 40), **UNUSABLE)
    with caplog.at_level(logging.WARNING):
        demos = load_demonstrations(session, TASK)
    assert demos.names == ("s/episode_0003",)
    assert demos.excluded == {
        "s/episode_0000": "wrist camera frozen for 0.8 s",
        "s/episode_0001": "outcome failure",
        "s/episode_0002": "marked redo",
    }
    assert "s/episode_0001 is left out: outcome failure" in caplog.text
    assert load_demonstrations(session, TASK, include_unusable=True).episodes == 4


def test_session_without_a_usable_episode_is_refused_with_the_reasons(tmp_path):
    session = write_session(tmp_path / "s", (40, 40, 40), **UNUSABLE)
    with pytest.raises(VitalError, match="outcome failure") as refused:
        load_demonstrations(session, TASK)
    assert refused.value.code is ErrorCode.BAD_DATASET and "./vital record" in refused.value.message


def test_other_task_is_refused_with_got_and_expected(session):
    with pytest.raises(VitalError, match="is of task 'usb_insertion', expected 'card_swipe'") as refused:
        load_demonstrations(session, "card_swipe")
    assert refused.value.code is ErrorCode.BAD_DATASET


def test_episode_of_another_task_inside_a_session_is_refused(session, tmp_path):
    other = write_session(tmp_path / "s", (40,), task="card_swipe")
    description = json.loads((other / layout.SESSION_FILE).read_text())
    (other / layout.SESSION_FILE).write_text(json.dumps({**description, "task": TASK}))
    with pytest.raises(VitalError, match="episode s/episode_0000: is of task 'card_swipe'"):
        load_demonstrations(other, TASK)


def test_demonstrations_know_what_their_wrist_images_show_and_are_of_one_view(session, tmp_path):
    wide = write_session(tmp_path / "wide", (20,), about={"wrist_view": "fisheye"})
    assert load_demonstrations(session, TASK).wrist_view == WINDOW
    assert load_demonstrations(wide, TASK).wrist_view == "fisheye"
    with pytest.raises(VitalError, match=r"'fisheye' in wide.*'window' in one.*one view alone") as refused:
        load_demonstrations([session, wide], TASK)
    assert refused.value.code is ErrorCode.BAD_DATASET


def test_folder_that_is_no_session_is_refused(tmp_path):
    with pytest.raises(VitalError, match=r"has no session.json.*vital record"):
        load_demonstrations(tmp_path, TASK)


@pytest.mark.parametrize("keep", [0, 100, 0.5, -1])
def test_torn_episode_is_refused_and_named(tmp_path, keep):
    session = write_session(tmp_path / "s", (40,))
    path = layout.episode_path(session, 0)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(VitalError, match=r"episode_0000.mcap.*repair") as refused:
        load_demonstrations(session, TASK)
    assert refused.value.code is ErrorCode.BAD_RECORDING


def test_damaged_episode_is_refused(tmp_path):
    session = write_session(tmp_path / "s", (40,))
    path = layout.episode_path(session, 0)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(VitalError, match=r"episode_0000"):
        load_demonstrations(session, TASK)


def test_normaliser_is_fitted_once_kept_beside_the_session_and_made_again_when_the_content_changes(tmp_path):
    session = write_session(tmp_path / "s", (40, 47))
    demos = load_demonstrations(session, TASK)
    kept = json.loads((session / FILE_NAME).read_text())
    assert kept["data_sha256"] == demos.sha256
    assert Normaliser.from_dict(kept["normaliser"]).to_dict() == demos.normaliser.to_dict()
    stamp = (session / FILE_NAME).stat().st_mtime_ns
    again = load_demonstrations(session, TASK)
    assert again.normaliser.to_dict() == demos.normaliser.to_dict()
    assert (session / FILE_NAME).stat().st_mtime_ns == stamp
    SessionWriter(tmp_path / "t", TASK, {}).add(synthetic.streams(60, 5), {})
    other = load_demonstrations([session, tmp_path / "t"], TASK)
    assert json.loads((session / FILE_NAME).read_text())["data_sha256"] == other.sha256
    assert other.normaliser.to_dict() != demos.normaliser.to_dict()


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": "vital_normalisation/1"}', "[1]", '{"format": 1, "data_sha256": 2}']
)
def test_broken_normaliser_file_is_made_again(session, text):
    expected = load_demonstrations(session, TASK).normaliser.to_dict()
    (session / FILE_NAME).write_text(text)
    assert load_demonstrations(session, TASK).normaliser.to_dict() == expected
    assert json.loads((session / FILE_NAME).read_text())["normaliser"] == expected


def test_subset_keeps_the_normaliser_of_the_whole(session):
    demos = load_demonstrations(session, TASK)
    part = demos.subset(demos.episode == 1)
    assert demos.foreground is None and load_demonstrations(session, TASK, foreground=None).foreground is None
    assert part.episodes == 2 and part.normaliser is demos.normaliser and len(part) == (demos.episode == 1).sum()
