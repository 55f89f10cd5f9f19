"""Checkpoints and residuals as files: what is damaged, wrong or nonsense is refused, what is older is converted."""

import json
import logging
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_policy import checkpoint as policy_file
from vital_policy import residual as residual_file
from vital_policy.checkpoint import Checkpoint, load_checkpoint, parse_checkpoint
from vital_policy.convert_weights import main
from vital_policy.network.policy import PolicyConfig
from vital_policy.network.transformer import TransformerConfig
from vital_policy.residual import HEADER_KEY, Residual, feature_size, from_bytes, load_residual, to_bytes
from vital_policy.residual_actor import ActorConfig, ResidualActor

SOURCE = Source("test", ErrorCode.INTERNAL, "")
SMALL = PolicyConfig(keypoints=2, chunk=2, transformer=TransformerConfig(layers=1, heads=1, width=2, positions=3))
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), st.just([]), st.just({})
)


@dataclass(frozen=True)
class Weights:
    """A base policy's file and a residual's bytes on it."""

    path: Path
    base: Checkpoint
    policy: bytes
    residual: bytes


@pytest.fixture(scope="module")
def weights(tmp_path_factory, new_checkpoint) -> Weights:
    path = new_checkpoint(tmp_path_factory.mktemp("weights") / "usb_insertion.safetensors", SMALL)
    base = load_checkpoint(path)
    actor = ResidualActor(ActorConfig(features=feature_size(base), hidden=4))
    return Weights(path, base, path.read_bytes(), to_bytes(Residual.untrained(base, actor)))


def refused(read: Callable[[], object]) -> str:
    with pytest.raises(VitalError) as refusal:
        read()
    assert refusal.value.code is ErrorCode.BAD_CHECKPOINT
    return refusal.value.message


def older(data: bytes, version: str) -> bytes:
    """The same weights as the version before wrote them."""
    header = weight_file.parse_header(data, SOURCE)
    metadata = {name: value for name, value in header.metadata.items() if name != "sha256"}
    if HEADER_KEY in metadata:
        metadata[HEADER_KEY] = json.dumps({**json.loads(metadata[HEADER_KEY]), "format": version})
    else:
        metadata["format"] = version
    return save(load(data), metadata)


@settings(max_examples=300, deadline=None)
@given(place=st.floats(0.0, 1.0, exclude_max=True))
def test_one_flipped_bit_anywhere_is_refused(weights, place):
    for data, read in ((weights.policy, parse_checkpoint), (weights.residual, from_bytes)):
        bit = int(place * 8 * len(data))
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        refused(lambda: read(bytes(changed), weights.path if read is parse_checkpoint else weights.base))  # noqa: B023


def with_header(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The residual with another header, and the hash of that."""
    header = json.loads(weight_file.parse_header(data, SOURCE).metadata[HEADER_KEY])
    change(header)
    return weight_file.sealed(data, {HEADER_KEY: json.dumps(header)}, SOURCE)


FIELDS = [
    ("format",), ("task",), ("base_sha256",), ("actor",), ("settings",), ("version",), ("steps",), ("exploration",),
    ("about",), ("actor", "features"), ("actor", "hidden"), ("actor", "gripper"), ("actor", "layers"),
    ("settings", "share"), ("settings", "base"), ("settings", "touch"), ("exploration", "first"),
    ("exploration", "last"), ("exploration", "steps"), ("exploration", "seed"), ("beyond",), ("actor", "beyond"),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(field=st.sampled_from(FIELDS), value=VALUES)
def test_residual_with_any_other_value_in_its_header_is_whole_or_refused(weights, field, value):
    def change(header: dict[str, Any]) -> None:
        for name in field[:-1]:
            header = header[name]
        header[field[-1]] = value

    data = with_header(weights.residual, change)
    try:
        residual = from_bytes(data, weights.base)
    except VitalError as error:
        assert error.code is ErrorCode.BAD_CHECKPOINT
        return
    assert "beyond" not in field
    z, base = torch.zeros(1, feature_size(weights.base)), torch.zeros(1, 7)
    offset = residual.offset(z, base, residual.exploration.noise(3), residual.exploration.generator(5))
    assert offset.shape == (1, 7) and (abs(offset) <= 1.0).all()
    assert type(residual.version) is int and type(residual.settings.touch) is bool and residual.version >= 0


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


@pytest.mark.parametrize("change", [{"hidden": 16_000, "layers": 30}, {"features": 60_000}])
def test_network_that_the_file_does_not_hold_takes_no_memory(weights, change):
    data = with_header(weights.residual, lambda header: header["actor"].update(change))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(lambda: from_bytes(data, weights.base))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_weights_that_come_over_ros_are_never_without_a_hash(weights):
    data = older(weights.residual, residual_file.FORMAT.unsealed)
    assert "format is 'vital_residual/1', expected 'vital_residual/2'" in refused(
        lambda: from_bytes(data, weights.base)
    )
    assert from_bytes(data, weights.base, unsealed=True).version == 0


def test_version_without_a_hash_is_read_with_a_warning_and_converted_once(weights, tmp_path, caplog):
    policy, residual = tmp_path / "usb_insertion.safetensors", tmp_path / "usb_insertion_residual.safetensors"
    policy.write_bytes(older(weights.policy, policy_file.FORMAT.unsealed))
    old = load_checkpoint(policy)
    assert "is unverified" in caplog.text and "ros2 run vital_policy convert_weights" in caplog.text
    actor = ResidualActor(ActorConfig(features=feature_size(old), hidden=4))
    residual.write_bytes(older(to_bytes(Residual.untrained(old, actor)), residual_file.FORMAT.unsealed))
    load_residual(residual, old)
    known_by = old.sha256, residual_file.residual_identity(residual)
    (tmp_path / "usb_insertion.state.safetensors").write_bytes(b"a training's own")
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main([str(tmp_path)])
        assert ended.value.code == 0
        made = policy.read_bytes(), residual.read_bytes()
    assert made == (policy.read_bytes(), residual.read_bytes())
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        again = load_checkpoint(policy)
        load_residual(residual, again)
    assert not caplog.text and (again.sha256, residual_file.residual_identity(residual)) == known_by
    assert all(torch.equal(v, again.policy.state_dict()[n]) for n, v in old.policy.state_dict().items())


def test_conversion_names_what_it_cannot_convert_and_converts_the_rest(weights, tmp_path, caplog):
    good, bad = tmp_path / "usb_insertion.safetensors", tmp_path / "b.safetensors"
    good.write_bytes(older(weights.policy, policy_file.FORMAT.unsealed))
    bad.write_bytes(save({"x": torch.zeros(2)}))
    with caplog.at_level(logging.INFO), pytest.raises(SystemExit) as ended:
        main([str(bad), str(good)])
    assert ended.value.code == 2 and "b.safetensors: is neither" in caplog.text and f"{good} converted" in caplog.text


def test_hash_cannot_be_taken_off(weights):
    data = older(weights.policy, policy_file.FORMAT.sealed)
    assert "never without" in refused(lambda: parse_checkpoint(data, weights.path))


def test_checkpoint_that_is_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "usb_insertion.safetensors")
    assert "expected a regular file" in refused(lambda: load_checkpoint(tmp_path / "usb_insertion.safetensors"))
