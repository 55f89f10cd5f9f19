"""Images from files: the size is known before anything is decoded."""

import os
import resource
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_core.files.image_file import read_image
from vital_core.files.schema import Source

SOURCE = Source("image x", ErrorCode.BAD_PARAMETER, "take another")
IMAGE = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)


def encoded(suffix: str) -> bytes:
    ok, data = cv2.imencode(suffix, IMAGE)
    assert ok
    return data.tobytes()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg"])
def test_image_comes_back(tmp_path, suffix):
    (tmp_path / "x").write_bytes(encoded(suffix))
    read = read_image(tmp_path / "x", cv2.IMREAD_COLOR, SOURCE)
    assert read.shape == IMAGE.shape
    if suffix != ".jpg":
        np.testing.assert_array_equal(read, IMAGE)


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 2**31 - 1), (0, 5)])
def test_image_that_says_it_is_huge_is_refused_before_it_is_decoded(tmp_path, size):
    png = encoded(".png")
    head = png[12:16] + struct.pack(">II", *size) + png[24:29]
    (tmp_path / "x").write_bytes(png[:12] + head + struct.pack(">I", zlib.crc32(head)) + png[33:])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(VitalError) as refused:
        read_image(tmp_path / "x", cv2.IMREAD_COLOR, SOURCE)
    assert refused.value.code is ErrorCode.BAD_PARAMETER
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4), cut=st.integers(0, 700))
def test_changed_image_is_a_image_or_refused(tmp_path, changes, cut):
    data = bytearray(encoded(".png"))
    for at, value in changes:
        data[at] = value
    (tmp_path / "x").write_bytes(data[:cut])
    try:
        assert read_image(tmp_path / "x", cv2.IMREAD_COLOR, SOURCE).dtype == np.uint8
    except VitalError as error:
        assert error.code is ErrorCode.BAD_PARAMETER


def test_image_that_is_a_pipe_blocks_nobody(tmp_path):
    os.mkfifo(tmp_path / "x")
    with pytest.raises(VitalError, match="expected a regular file"):
        read_image(tmp_path / "x", cv2.IMREAD_COLOR, SOURCE)
