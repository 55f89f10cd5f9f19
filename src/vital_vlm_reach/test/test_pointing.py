"""The shipped pointing weights, on scenes and sentences that they were not trained on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import weight_file
from vital_core.files.schema import Source
from vital_vlm_reach.pointing.embedded import EmbeddedPointing, save_weights
from vital_vlm_reach.pointing.network import PointingNetwork, look_twice, peak
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
        picture = studio.picture(seed)
        (u, v) = next(iter(picture.seen.values()))
        for prompt in PROMPTS[kind.task]:
            answer = model.point(picture.image, prompt)
            assert answer.pixel_uv is not None, f"{prompt}: {answer.message}"
            errors.append(np.hypot(answer.pixel_uv[0] - u, answer.pixel_uv[1] - v))
        assert model.point(picture.image, "find the banana").pixel_uv is None
        assert model.point(picture.image, prompt) == model.point(picture.image, prompt)
    studio.close()
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


FACTS = [{"seed": "x"}, {"steps": "-1"}, {"width": "320"}, {"beyond": "1"}, {"seed": "[" * 9000}]


@pytest.mark.parametrize("facts", FACTS, ids=range(5))
def test_header_of_weights_is_read_by_its_schema(tmp_path, facts):
    save_weights(tmp_path / "w.safetensors", PointingNetwork(), facts)
    with pytest.raises(VitalError) as refusal:
        EmbeddedPointing.load(tmp_path / "w.safetensors")
    assert refusal.value.code is ErrorCode.BAD_CHECKPOINT


def test_weights_of_the_network_before_are_refused_with_what_to_do(tmp_path):
    path = tmp_path / "w.safetensors"
    data = weight_file.sealed(save(PointingNetwork().state_dict()), {"format": "vital_pointing/3"}, SOURCE)
    path.write_bytes(data)
    with pytest.raises(VitalError, match="train it again") as refusal:
        EmbeddedPointing.load(path)
    assert refusal.value.code is ErrorCode.BAD_CHECKPOINT


def test_peak_is_the_point_within_the_likeliest_cell():
    heat, place = torch.full((2, 60, 80), -5.0), torch.zeros(2, 2, 60, 80)
    heat[0, 15, 25], heat[1, 50, 60] = 2.0, -1.0
    place[0, :, 15, 25] = torch.tensor([0.25, -0.5])
    uv, logit = peak(heat, place)
    assert uv.tolist() == [[206.0, 120.0], [484.0, 404.0]] and logit.tolist() == [2.0, -1.0]


def test_looking_twice_finds_in_a_mirror_image_the_same_place_mirrored():
    detector = PointingNetwork().eval().detector
    image = torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        heat, place = look_twice(detector, image)
        mirrored, turned = look_twice(detector, image.flip(3))
    torch.testing.assert_close(mirrored, heat.flip(3), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(turned[:, 0], -place[:, 0].flip(2), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(turned[:, 1], place[:, 1].flip(2), atol=1e-4, rtol=1e-4)


def test_sentences_of_any_length_and_alphabet_encode():
    assert encode("").sum() == 0 and encode("é ü 漢").shape == encode("one " * 100).shape
