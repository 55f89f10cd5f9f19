"""Residuals as files and messages: what is damaged, wrong or nonsense is refused, what is older is converted."""

import json
import logging
import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from slide import still

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_policy.checkpoint import Checkpoint
from vital_rl.residual.convert_residuals import main
from vital_rl.residual.networks import ActorConfig, Noise, ResidualActor
from vital_rl.residual.residual import (
    FORMAT,
    HEADER_KEY,
    Residual,
    from_bytes,
    load_residual,
    residual_identity,
    to_bytes,
)

SOURCE = Source("test", ErrorCode.INTERNAL, "")
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), st.just([]), st.just({})
)


@dataclass(frozen=True)
class Weights:
    """A base policy with its folder, and a residual's bytes on it."""

    folder: Path
    base: Checkpoint
    residual: bytes


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Weights:
    folder = tmp_path_factory.mktemp("weights")
    base = still(folder)
    actor = ResidualActor(ActorConfig(features=base.feature_size, hidden=4))
    return Weights(folder, base, to_bytes(Residual.untrained(base, actor)))


def refused(read: Callable[[], object]) -> str:
    with pytest.raises(VitalError) as refusal:
        read()
    assert refusal.value.code is ErrorCode.BAD_CHECKPOINT
    return refusal.value.message


def older(data: bytes, version: str) -> bytes:
    """The same residual as the version before wrote it."""
    about = json.loads(weight_file.parse_header(data, SOURCE).metadata[HEADER_KEY])
    return save(load(data), {HEADER_KEY: json.dumps({**about, "format": version})})


@settings(max_examples=300, deadline=None)
@given(place=st.floats(0.0, 1.0, exclude_max=True))
def test_one_flipped_bit_anywhere_is_refused(weights, place):
    bit = int(place * 8 * len(weights.residual))
    changed = bytearray(weights.residual)
    changed[bit // 8] ^= 1 << bit % 8
    refused(lambda: from_bytes(bytes(changed), weights.base))


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
    z, base = torch.zeros(1, weights.base.feature_size), torch.zeros(1, 7)
    offset = residual.offset(z, base, Noise(residual.exploration, episode_seed=5, after=3).next())
    assert offset.shape == (1, 7) and (abs(offset) <= 1.0).all()
    assert type(residual.version) is int and type(residual.settings.touch) is bool and residual.version >= 0


@pytest.mark.parametrize("change", [{"hidden": 16_000, "layers": 30}, {"features": 60_000}])
def test_network_that_the_file_does_not_hold_takes_no_memory(weights, change):
    data = with_header(weights.residual, lambda header: header["actor"].update(change))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(lambda: from_bytes(data, weights.base))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_weights_that_come_over_ros_are_never_without_a_hash(weights):
    data = older(weights.residual, FORMAT.unsealed)
    assert "format is 'vital_residual/1', expected 'vital_residual/2'" in refused(
        lambda: from_bytes(data, weights.base)
    )
    assert from_bytes(data, weights.base, unsealed=True).version == 0


@pytest.mark.parametrize("beside", [True, False])
def test_version_without_a_hash_is_read_with_a_warning_and_converted_once(weights, tmp_path, caplog, beside):
    residual, base = tmp_path / "usb_insertion_residual.safetensors", weights.folder / "usb_insertion.safetensors"
    residual.write_bytes(older(weights.residual, FORMAT.unsealed))
    load_residual(residual, weights.base)
    assert "is unverified" in caplog.text and "ros2 run vital_rl convert_residuals" in caplog.text
    known_by = residual_identity(residual)
    if beside:
        shutil.copy(base, tmp_path)
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main([str(tmp_path), *([] if beside else ["--checkpoint", str(base)])])
        assert ended.value.code == 0
        made = residual.read_bytes()
    assert made == residual.read_bytes()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        load_residual(residual, weights.base)
    assert not caplog.text and residual_identity(residual) == known_by


def test_conversion_refuses_what_is_no_residual(weights, caplog):
    with pytest.raises(SystemExit) as ended:
        main([str(weights.folder / "usb_insertion.safetensors")])
    assert ended.value.code == 2 and f"has no '{HEADER_KEY}' in its header" in caplog.text
