"""Films: as many frames as were given, in order, found by time; what is no film is refused by name."""

import numpy as np
import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_core.files.video import read_video, write_video

RATE_HZ, COUNT = 10, 25


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Frame i is grey, brighter with i."""
    path = tmp_path_factory.mktemp("films") / "folder" / "film.mp4"
    frames = (np.full((48, 64, 3), 10 * i, np.uint8) for i in range(COUNT))
    assert write_video(path, frames, RATE_HZ) == COUNT
    return path


def brightness(frames):
    return frames.mean(axis=(1, 2, 3)) / 10.0


def test_frames_come_back_in_their_order(film):
    frames = read_video(film)
    assert frames.shape == (COUNT, 48, 64, 3) and frames.dtype == np.uint8
    np.testing.assert_allclose(brightness(frames), np.arange(COUNT), atol=0.4)


@pytest.mark.parametrize("first", [0, 1, 9, 24])
def test_a_frame_is_found_by_its_time(film, first):
    frames = read_video(film, first / RATE_HZ, 3)
    np.testing.assert_allclose(brightness(frames), np.arange(first, min(first + 3, COUNT)), atol=0.4)


def test_after_the_end_there_is_none(film):
    with pytest.raises(VitalError, match="no frame from 9") as refusal:
        read_video(film, 9.0)
    assert refusal.value.code is ErrorCode.BAD_DATASET


def test_what_is_no_film_is_refused(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no film at all" * 100)
    with pytest.raises(VitalError, match="cannot be read") as refusal:
        read_video(tmp_path / "film.mp4")
    assert refusal.value.code is ErrorCode.BAD_DATASET


def test_a_film_cut_short_is_refused_or_shorter(film, tmp_path):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[:-400])
    with pytest.raises(VitalError, match="cannot be read"):
        read_video(cut)
