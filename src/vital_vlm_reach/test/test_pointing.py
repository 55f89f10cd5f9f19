"""The shipped pointing weights, on scenes and sentences that they were not trained on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_vlm_reach.pointing.embedded import FORMAT, EmbeddedPointing, begin_from, convert_pointing, save_weights
from vital_vlm_reach.pointing.network import PointingNetwork, peak, target_heat
from vital_vlm_reach.pointing.text import encode
from vital_vlm_reach.pointing.training.renders import KINDS, Studio

WEIGHTS = Path(__file__).parents[1] / "weights" / "pointing.safetensors"
SOURCE = Source("test", ErrorCode.INTERNAL, "")
PROMPTS = {
    "usb_insertion": ("insert the USB stick into the USB port", "put the thumb drive into the usb slot"),
    "plug_in_socket": ("plug the plug into the socket", "where is the wall outlet?"),
    "card_swipe": ("swipe the card through the reader", "find the card reader"),
    "key_in_lock": ("put the key in the lock", "where is the lock?"),
    "pick_block": ("pick up the block", "find the block"),
}


@pytest.fixture(scope="module")
def model():
    return EmbeddedPointing.load(WEIGHTS)


@pytest.mark.parametrize("kind", [k for k in KINDS if k.default], ids=lambda k: k.task)
def test_shipped_weights_point_within_three_pixels_on_deployed_scenes(model, kind):
    studio, errors = Studio(kind), []
    for seed in range(7_000_000, 7_000_004):
        full, image = studio.shoot(seed)
        (u, v) = next(iter(image.seen.values()))
        for prompt in PROMPTS[kind.task]:
            answer = model.point(full, prompt)
            assert answer.pixel_uv is not None, f"{prompt}: {answer.message}"
            errors.append(np.hypot(answer.pixel_uv[0] - 2 * u, answer.pixel_uv[1] - 2 * v))
        assert model.point(full, "find the banana").pixel_uv is None
        assert model.point(full, prompt) == model.point(full, prompt)
    studio.camera.close()
    assert np.median(errors) < 3.0


def test_empty_sentence_names_nothing(model):
    assert model.point(np.zeros((480, 640, 3), np.uint8), "  ").pixel_uv is None


def test_missing_weights_name_the_command_that_makes_them(tmp_path):
    with pytest.raises(VitalError, match="train_pointing") as refusal:
        EmbeddedPointing.load(tmp_path / "none.safetensors")
    assert refusal.value.code is ErrorCode.NO_CHECKPOINT


@pytest.mark.parametrize("change", ["torn", "header"])
def test_garbled_weights_are_refused(tmp_path, change):
    path = tmp_path / "w.safetensors"
    save_weights(path, PointingNetwork(), {"format": "other/9"} if change == "header" else {})
    if change == "torn":
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(VitalError) as refusal:
        EmbeddedPointing.load(path)
    assert refusal.value.code is ErrorCode.BAD_CHECKPOINT


def _older(data: bytes) -> bytes:
    """The same weights as the version without a hash wrote them."""
    metadata = weight_file.parse_header(data, SOURCE).metadata
    kept = {name: value for name, value in metadata.items() if name not in ("sha256", "converted_from")}
    return save(load(data), {**kept, "format": FORMAT.unsealed})


def test_weights_without_a_hash_are_read_with_a_warning_and_converted_once(tmp_path, caplog):
    path, data = tmp_path / "w.safetensors", _older(WEIGHTS.read_bytes())
    path.write_bytes(data)
    old = EmbeddedPointing.load(path)
    assert "is unverified" in caplog.text and "convert_weights" in caplog.text
    assert convert_pointing(path) and not convert_pointing(path)
    caplog.clear()
    image = np.zeros((480, 640, 3), np.uint8)
    assert EmbeddedPointing.load(path).point(image, "banana") == old.point(image, "banana") and not caplog.text


@pytest.mark.parametrize("place", [0.0, 0.0004, 0.001, 0.3, 0.7, 0.9999])
def test_one_flipped_bit_of_the_weights_is_refused(tmp_path, place):
    path = tmp_path / "w.safetensors"
    save_weights(path, PointingNetwork(), {})
    changed = bytearray(path.read_bytes())
    changed[int(place * len(changed))] ^= 4
    path.write_bytes(changed)
    with pytest.raises(VitalError) as refusal:
        EmbeddedPointing.load(path)
    assert refusal.value.code is ErrorCode.BAD_CHECKPOINT


FACTS = [{"seed": "x"}, {"steps": "-1"}, {"width": "640"}, {"beyond": "1"}, {"seed": "[" * 9000}]


@pytest.mark.parametrize("facts", FACTS, ids=range(5))
def test_header_of_weights_is_read_by_its_schema(tmp_path, facts):
    save_weights(tmp_path / "w.safetensors", PointingNetwork(), facts)
    with pytest.raises(VitalError) as refusal:
        EmbeddedPointing.load(tmp_path / "w.safetensors")
    assert refusal.value.code is ErrorCode.BAD_CHECKPOINT


def test_training_begins_from_weights_of_fewer_things(tmp_path, monkeypatch):
    monkeypatch.setattr("vital_vlm_reach.pointing.network.KNOWN_THINGS", 3)
    save_weights(tmp_path / "w.safetensors", PointingNetwork(), {})
    older = PointingNetwork().state_dict()
    monkeypatch.undo()
    network = PointingNetwork()
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    taken = begin_from(tmp_path / "w.safetensors", network)
    assert taken == sum(value.shape == fresh[name].shape for name, value in older.items()) < len(older)
    assert torch.equal(network.names.weight, fresh["names.weight"])
    assert not torch.equal(network.heat.weight, fresh["heat.weight"])


def test_training_refuses_to_begin_from_other_weights(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"no weights")
    with pytest.raises(VitalError, match="give another --init"):
        begin_from(tmp_path / "w.safetensors", PointingNetwork())


def test_peak_finds_the_blob_to_a_fraction_of_a_cell():
    uv = torch.tensor([[100.5, 61.0], [240.0, 200.0]])
    assert (peak(target_heat(uv).clamp(min=1e-6).log()) - uv).abs().max() < 0.5


def test_sentences_of_any_length_and_alphabet_encode():
    assert encode("").sum() == 0 and encode("é ü 漢").shape == encode("one " * 100).shape
