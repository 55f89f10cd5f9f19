"""What computes a policy: ONNX Runtime gives PyTorch's answers, from a cache that is believed only when it does."""

import dataclasses
import logging
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import Observation
from vital_policy.checkpoint import load_checkpoint
from vital_policy.inference import LocalPolicy
from vital_policy.runtime import graph_cache
from vital_policy.runtime.choice import MOST_APART, compared, exported, network_of
from vital_policy.runtime.export_onnx import main
from vital_policy.runtime.network import ONNXRUNTIME, TORCH, OnnxNetwork, TorchNetwork
from vital_policy.shipped import checkpoint_folder

SHIPPED = sorted(path.stem for path in checkpoint_folder().glob("*.safetensors") if not path.stem.endswith("_residual"))

QUICK = "usb_insertion"  # an export takes seconds; the others' networks are the same


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the graphs of this test are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vital" / "policies"


def seen(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 128, 128, 3), dtype=np.uint8), rng.normal(0, 80, (count, 15)).astype(np.float32)


def like_a_picture(count: int, seed: int = 0) -> np.ndarray:
    """(count, 128, 128, 3) uint8, smooth in most places: what noise, grey all over, is not."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (count, 8, 8, 3)).astype(np.float32)
    return (
        np.stack([cv2.resize(one, (128, 128), interpolation=cv2.INTER_CUBIC) for one in coarse])
        .clip(0, 255)
        .astype(np.uint8)
    )


def kept(cache: Path) -> dict[str, int]:
    """Names in the cache, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} if cache.exists() else {}


def test_every_task_ships_a_policy():
    assert {"usb_insertion", "plug_in_socket", "key_in_lock", "card_swipe", "pick_block"} <= set(SHIPPED)


def test_a_policy_that_answers_at_the_tip_does_so_in_either_runtime(checkpoint_path):
    checkpoint = load_checkpoint(checkpoint_path)
    normaliser = dataclasses.replace(checkpoint.normaliser, point_m=np.array([0.02, 0.01, 0.05]))
    tip = dataclasses.replace(checkpoint, normaliser=normaliser)
    assert compared(OnnxNetwork(exported(tip)), tip) <= MOST_APART
    with pytest.raises(VitalError, match="from PyTorch's answers"):
        compared(OnnxNetwork(exported(checkpoint)), tip)


@pytest.mark.parametrize(
    "task", [QUICK, *(pytest.param(task, marks=pytest.mark.slow) for task in SHIPPED if task != QUICK)]
)
def test_every_shipped_policy_answers_as_in_pytorch(task, cache):
    checkpoint = load_checkpoint(checkpoint_folder() / f"{task}.safetensors", task=task)
    network, plain = OnnxNetwork(exported(checkpoint)), TorchNetwork(checkpoint.policy, checkpoint.normaliser)
    assert compared(network, checkpoint) <= MOST_APART
    for image, tactile_ut in (seen(2), (like_a_picture(2), np.full((2, 15), 1e4, np.float32))):
        (actions, features), (wanted, read) = (n.predict(image, tactile_ut) for n in (network, plain))
        np.testing.assert_allclose(actions, wanted, rtol=0, atol=1e-6)  # m, rad
        np.testing.assert_allclose(features, read, rtol=1e-5, atol=1e-5)


def test_answers_of_a_batch_are_those_of_each_image_alone(checkpoint_path, cache):
    network = network_of(load_checkpoint(checkpoint_path))
    image, tactile_ut = seen(3)
    together, _ = network.predict(image, tactile_ut)
    alone = [network.predict(image[i : i + 1], tactile_ut[i : i + 1])[0][0] for i in range(3)]
    assert network.name == ONNXRUNTIME
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_policy_without_touch_is_exported_without_it(new_checkpoint, tiny_config, tmp_path, cache):
    path = new_checkpoint(tmp_path / "usb_insertion.safetensors", dataclasses.replace(tiny_config, touch=False))
    policy, image = LocalPolicy.load(path), seen(1)[0][0]
    assert policy.runtime == ONNXRUNTIME
    felt = [policy.answer(Observation(image, np.full(15, ut, np.float32)))[1] for ut in (0.0, 500.0)]
    assert torch.equal(*felt) and felt[0].shape == (1, tiny_config.transformer.width)


def test_graph_is_exported_once_and_found_again(checkpoint_path, cache):
    LocalPolicy.load(checkpoint_path)
    before = kept(cache)
    assert LocalPolicy.load(checkpoint_path).runtime == ONNXRUNTIME
    assert len(before) == 1 and kept(cache) == before


def torn(path: Path, data: bytes) -> None:
    path.write_bytes(data[: len(data) // 2])


def changed(path: Path, data: bytes) -> None:
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def of_another_checkpoint(path: Path, data: bytes) -> None:
    path.unlink()
    told = path.name.partition(".")[0]
    other = data.replace(b"vital_policy", b"another_one_")
    other = other.replace(load_checkpoint(path.parents[3] / "usb_insertion.safetensors").sha256.encode(), b"f" * 64)
    (path.parent / graph_cache._name(told, other)).write_bytes(other)


def no_graph(path: Path, data: bytes) -> None:
    path.unlink()
    (path.parent / graph_cache._name(path.name.partition(".")[0], b"nothing")).write_bytes(b"nothing")


def writable_by_others(path: Path, data: bytes) -> None:
    path.chmod(0o666)


@pytest.mark.parametrize("spoil", [torn, changed, of_another_checkpoint, no_graph, writable_by_others])
def test_graph_that_is_torn_changed_or_foreign_is_made_again(checkpoint_path, cache, caplog, spoil):
    LocalPolicy.load(checkpoint_path)
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    spoil(path, whole)
    with caplog.at_level(logging.WARNING):
        policy = LocalPolicy.load(checkpoint_path)
    assert policy.runtime == ONNXRUNTIME and len(caplog.records) == 1
    assert [made.read_bytes() for made in cache.iterdir()] == [whole]
    assert not path.stat().st_mode & 0o022


def test_graph_that_answers_otherwise_than_the_network_is_made_again(checkpoint_path, cache, caplog):
    checkpoint = load_checkpoint(checkpoint_path)
    with torch.no_grad():
        checkpoint.policy.action_token += 1.0  # as after a change of the network's code
    graph_cache.keep_graph(checkpoint.sha256, exported(checkpoint))
    with caplog.at_level(logging.WARNING):
        policy = LocalPolicy.load(checkpoint_path)
    assert "from PyTorch's answers" in caplog.text and policy.runtime == ONNXRUNTIME
    (found,) = cache.iterdir()
    assert compared(OnnxNetwork(found.read_bytes()), policy.checkpoint) <= MOST_APART


def test_home_that_cannot_be_written_to_costs_a_line_in_the_log(checkpoint_path, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        assert LocalPolicy.load(checkpoint_path).runtime == ONNXRUNTIME
    assert "is not kept" in caplog.text


def test_cache_keeps_the_newest(cache, monkeypatch):
    for number in range(graph_cache.MOST_GRAPHS + 2):
        graph_cache.keep_graph(f"{number:064x}"[::-1], bytes([number]))
        newest = max(cache.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(number * 10**9, number * 10**9))
    names = [f"{number:064x}"[::-1] for number in range(graph_cache.MOST_GRAPHS + 2)]
    assert [graph_cache.kept_graph(name) for name in names] == [
        None, None, *(bytes([n]) for n in range(2, len(names))),
    ]  # fmt: skip


def test_cache_stands_where_the_user_says(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert graph_cache.cache_folder() == Path("/home/somebody/.cache/vital/policies")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification
    assert graph_cache.cache_folder() == Path("/home/somebody/.cache/vital/policies")


@pytest.mark.parametrize("missing", ["onnxruntime", "onnx"])
def test_policy_runs_in_pytorch_where_a_package_is_missing(checkpoint_path, cache, monkeypatch, caplog, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with caplog.at_level(logging.WARNING):
        assert LocalPolicy.load(checkpoint_path).runtime == TORCH
    assert "runs in PyTorch" in caplog.text and missing in caplog.text
    with pytest.raises(VitalError, match="vital setup") as refused:
        LocalPolicy.load(checkpoint_path, runtime=ONNXRUNTIME)
    assert refused.value.code is ErrorCode.BAD_CHECKPOINT


def test_what_is_asked_for_is_what_computes(checkpoint_path, cache):
    assert LocalPolicy.load(checkpoint_path, runtime=TORCH).runtime == TORCH
    assert kept(cache) == {}
    unsaved = dataclasses.replace(load_checkpoint(checkpoint_path), sha256="")
    assert (LocalPolicy(unsaved).runtime, LocalPolicy(unsaved, runtime=ONNXRUNTIME).runtime) == (TORCH, ONNXRUNTIME)
    assert kept(cache) == {}
    with pytest.raises(VitalError, match="expected one of auto, onnxruntime, torch") as refused:
        LocalPolicy.load(checkpoint_path, runtime="tensorrt")
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_exported_file_runs_without_this_project_and_tells_where_it_comes_from(checkpoint_path, tmp_path, caplog):
    with caplog.at_level(logging.INFO), pytest.raises(SystemExit) as ended:
        main([str(checkpoint_path.parent), "--out", str(tmp_path / "out")])
    assert ended.value.code == 0 and "of PyTorch's" in caplog.text
    session = onnxruntime.InferenceSession(tmp_path / "out" / "usb_insertion.onnx")
    image, tactile_ut = seen(2)
    actions, features = session.run(["actions", "features"], {"image": image, "tactile_ut": tactile_ut})
    checkpoint = load_checkpoint(checkpoint_path)
    wanted, z = TorchNetwork(checkpoint.policy, checkpoint.normaliser).predict(image, tactile_ut)
    np.testing.assert_allclose(actions, wanted, rtol=0, atol=1e-6)
    np.testing.assert_allclose(features, z, rtol=1e-5, atol=1e-5)
    told = session.get_modelmeta().custom_metadata_map
    assert told == {
        "checkpoint_sha256": checkpoint.sha256, "task": "usb_insertion", "frame": "link_tcp", "control_rate_hz": "6.0",
        "ensemble_decay": "0.01", "wrist_view": "window", "touch": "true", "method": "",
    }  # fmt: skip


def test_what_cannot_be_exported_is_refused_and_the_others_are_written(checkpoint_path, tmp_path, caplog):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(checkpoint_path.read_bytes()[:1000])
    with pytest.raises(SystemExit) as ended:
        main([str(bad), str(checkpoint_path)])
    assert ended.value.code == 2 and "BAD_CHECKPOINT" in caplog.text
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["usb_insertion.onnx"]
