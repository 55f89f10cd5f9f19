"""Checkpoints as files: what is damaged, wrong or nonsense is refused, what is older is converted."""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_policy import checkpoint as policy_file
from vital_policy.checkpoint import load_checkpoint, parse_checkpoint
from vital_policy.convert_weights import main
from vital_policy.network.policy import PolicyConfig
from vital_policy.network.transformer import TransformerConfig

SOURCE = Source("test", ErrorCode.INTERNAL, "")
SMALL = PolicyConfig(keypoints=2, chunk=2, transformer=TransformerConfig(layers=1, heads=1, width=2, positions=3))
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), st.just([]), st.just({})
)


@dataclass(frozen=True)
class Weights:
    """A checkpoint's file and its bytes."""

    path: Path
    policy: bytes


@pytest.fixture(scope="module")
def weights(tmp_path_factory, new_checkpoint) -> Weights:
    path = new_checkpoint(tmp_path_factory.mktemp("weights") / "usb_insertion.safetensors", SMALL)
    return Weights(path, path.read_bytes())


def refused(read: Callable[[], object]) -> str:
    with pytest.raises(VitalError) as refusal:
        read()
    assert refusal.value.code is ErrorCode.BAD_CHECKPOINT
    return refusal.value.message


def older(data: bytes, version: str) -> bytes:
    """The same weights as the version before wrote them."""
    header = weight_file.parse_header(data, SOURCE)
    metadata = {name: value for name, value in header.metadata.items() if name != "sha256"}
    return save(load(data), {**metadata, "format": version})


@settings(max_examples=300, deadline=None)
@given(place=st.floats(0.0, 1.0, exclude_max=True))
def test_one_flipped_bit_anywhere_is_refused(weights, place):
    bit = int(place * 8 * len(weights.policy))
    changed = bytearray(weights.policy)
    changed[bit // 8] ^= 1 << bit % 8
    refused(lambda: parse_checkpoint(bytes(changed), weights.path))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(
        ["format", "task", "frame", "control_rate_hz", "image_size_px", "ensemble_decay", "policy", "policy_sha256",
         "normalisation", "provenance", "beyond"]
    ),
    value=st.one_of(VALUES.map(json.dumps), st.text(max_size=10)),
)  # fmt: skip
def test_checkpoint_with_any_other_value_in_its_header_is_whole_or_refused(weights, name, value):
    metadata = weight_file.parse_header(weights.policy, SOURCE).metadata
    data = weight_file.sealed(weights.policy, {**metadata, name: value}, SOURCE)
    try:
        checkpoint, _ = parse_checkpoint(data, weights.path)
    except VitalError as error:
        assert error.code is ErrorCode.BAD_CHECKPOINT
        return
    assert 0.0 < checkpoint.control_rate_hz <= 1000.0 and abs(checkpoint.ensemble_decay) <= 100.0


def test_version_without_a_hash_is_read_with_a_warning_and_converted_once(weights, tmp_path, caplog):
    policy = tmp_path / "usb_insertion.safetensors"
    policy.write_bytes(older(weights.policy, policy_file.FORMAT.unsealed))
    old = load_checkpoint(policy)
    assert "is unverified" in caplog.text and "ros2 run vital_policy convert_weights" in caplog.text
    others = {"usb_insertion.state.safetensors": b"a training's own", "other.safetensors": save({"x": torch.zeros(2)})}
    for name, data in others.items():
        (tmp_path / name).write_bytes(data)
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main([str(tmp_path)])
        assert ended.value.code == 0
        made = policy.read_bytes()
    assert made == policy.read_bytes()
    assert {name: (tmp_path / name).read_bytes() for name in others} == others
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        again = load_checkpoint(policy)
    assert not caplog.text and again.sha256 == old.sha256
    assert all(torch.equal(v, again.policy.state_dict()[n]) for n, v in old.policy.state_dict().items())


def test_conversion_names_what_it_cannot_convert_and_converts_the_rest(weights, tmp_path, caplog):
    good, bad = tmp_path / "usb_insertion.safetensors", tmp_path / "b.safetensors"
    good.write_bytes(older(weights.policy, policy_file.FORMAT.unsealed))
    bad.write_bytes(save({"x": torch.zeros(2)}))
    with caplog.at_level(logging.INFO), pytest.raises(SystemExit) as ended:
        main([str(bad), str(good)])
    assert ended.value.code == 2 and f"{good} converted" in caplog.text
    assert "b.safetensors: has no 'policy' in its header" in caplog.text


def test_damaged_file_in_a_folder_is_said_and_left_as_it_is(weights, tmp_path, caplog):
    torn = tmp_path / "usb_insertion.safetensors"
    torn.write_bytes(weights.policy[:100])
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path)])
    assert ended.value.code == 2 and "is no safetensors file" in caplog.text
    assert torn.read_bytes() == weights.policy[:100]


def test_hash_cannot_be_taken_off(weights):
    data = older(weights.policy, policy_file.FORMAT.sealed)
    assert "never without" in refused(lambda: parse_checkpoint(data, weights.path))


def test_checkpoint_that_is_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "usb_insertion.safetensors")
    assert "expected a regular file" in refused(lambda: load_checkpoint(tmp_path / "usb_insertion.safetensors"))
