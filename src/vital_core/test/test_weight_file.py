"""Weights with a hash: whatever bit changes is seen, and nothing in a header is believed before it is checked."""

import json
import os
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source

SOURCE = Source("weights x", ErrorCode.BAD_CHECKPOINT, "restore them")
FORMAT = weight_file.Format("kind/2", "kind/1", "convert")
TENSORS = {"b": np.arange(6, dtype=np.float16).reshape(2, 3), "a": np.ones(3, np.float32), "none": np.zeros((0, 2))}
METADATA = {"format": "kind/2", "about": '{"é": 1.5}'}


def plain(metadata: dict[str, str]) -> bytes:
    return save(TENSORS, metadata)


def taken(data: bytes) -> dict[str, str]:
    header = weight_file.parse_header(data, SOURCE)
    return FORMAT.check(header.metadata.get("format"), data, header, SOURCE)


@pytest.fixture
def sealed() -> bytes:
    return weight_file.sealed(plain({}), METADATA, SOURCE)


def test_sealed_weights_come_back_and_are_the_same_bytes_every_time(sealed):
    assert taken(sealed) == METADATA
    assert {n: v.tolist() for n, v in load(sealed).items()} == {n: v.tolist() for n, v in TENSORS.items()}
    assert sealed == weight_file.sealed(plain({"other": "metadata"}), dict(reversed(METADATA.items())), SOURCE)


def test_every_single_flipped_bit_is_refused(sealed):
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VitalError) as refused:
            taken(bytes(changed))
        assert refused.value.code is ErrorCode.BAD_CHECKPOINT


def test_a_hash_that_is_missing_is_never_taken_for_one():
    with pytest.raises(VitalError, match="never without"):
        taken(plain(METADATA))
    with pytest.raises(VitalError, match="never without"):
        taken(plain({**METADATA, "sha256": "f" * 63}))
    with pytest.raises(VitalError, match="which has no sha256"):
        taken(plain({**METADATA, "format": "kind/1", "sha256": "f" * 64}))
    with pytest.raises(VitalError, match="format is 'kind/3', expected 'kind/2'"):
        taken(plain({**METADATA, "format": "kind/3"}))
    assert taken(plain({"format": "kind/1"})) == {"format": "kind/1"}


@pytest.mark.parametrize("length", [0, 1, 5_000_000, 2**63, 2**64 - 1])
def test_length_of_a_header_is_not_believed(sealed, length):
    with pytest.raises(VitalError, match="no safetensors file"):
        weight_file.parse_header(length.to_bytes(8, "little") + sealed[8:], SOURCE)


@pytest.mark.parametrize(
    "tensors",
    [
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},
        {"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F128", "shape": [2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], "strides": [1]}},
        {"a": {"dtype": "F32", "shape": [1] * 9, "data_offsets": [0, 4]}},
        {n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in "ab"},
        {"a": [1]},
        {"__metadata__": {"a": 1}},
        {"a": json.loads("[" * 30 + "]" * 30)},
    ],
)  # fmt: skip
def test_header_whose_tensors_cannot_be_is_refused(tensors):
    head = json.dumps(tensors).encode()
    with pytest.raises(VitalError):
        weight_file.parse_header(len(head).to_bytes(8, "little") + head + b"\0" * 8, SOURCE)


def test_deeply_nested_header_is_refused():
    head = b'{"__metadata__":' + b"[" * 100_000
    with pytest.raises(VitalError, match="cannot be read"):
        weight_file.parse_header(len(head).to_bytes(8, "little") + head, SOURCE)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
@example(b"\2\0\0\0\0\0\0\0{}")
def test_any_bytes_are_a_header_or_a_refusal(data):
    try:
        weight_file.parse_header(data, SOURCE)
    except VitalError as error:
        assert error.code is ErrorCode.BAD_CHECKPOINT


def test_header_is_read_from_a_regular_file_alone(tmp_path, sealed):
    (tmp_path / "x").write_bytes(sealed)
    assert weight_file.read_header(tmp_path / "x", SOURCE) == weight_file.parse_header(sealed, SOURCE)
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    for read in (weight_file.read_header, weight_file.read_file):
        with pytest.raises(VitalError, match="expected a regular file"):
            read(tmp_path / "pipe", SOURCE)
    assert time.monotonic() - began < 1.0


def test_conversion_is_whole_checked_and_done_once(tmp_path):
    path, old = tmp_path / "x", plain({"format": "kind/1"})
    path.write_bytes(old)
    known_by = weight_file.identity(old, weight_file.parse_header(old, SOURCE))
    assert weight_file.convert(path, SOURCE, lambda metadata: {**metadata, "format": "kind/2"}, taken)
    first = path.read_bytes()
    assert taken(first) == {"format": "kind/2"} and [p.name for p in tmp_path.iterdir()] == ["x"]
    assert weight_file.identity(first, weight_file.parse_header(first, SOURCE)) == known_by
    assert not weight_file.convert(path, SOURCE, lambda metadata: {}, taken) and path.read_bytes() == first


def test_file_that_is_refused_is_not_converted(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(plain({"format": "kind/0"}))
    with pytest.raises(VitalError):
        weight_file.convert(path, SOURCE, lambda metadata: {**metadata, "format": "kind/2"}, taken)
    assert path.read_bytes() == plain({"format": "kind/0"})


@pytest.mark.parametrize("told", ["", None, "kind/1"])
def test_a_kind_without_an_older_version_is_read_sealed_alone(sealed, told):
    alone = weight_file.Format("kind/2")
    header = weight_file.parse_header(sealed, SOURCE)
    assert alone.check("kind/2", sealed, header, SOURCE) == METADATA
    with pytest.raises(VitalError, match="expected 'kind/2'"):
        alone.check(told, sealed, header, SOURCE)
