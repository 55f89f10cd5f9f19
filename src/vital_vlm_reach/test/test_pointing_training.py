"""Training of the pointing network: batches that keep what they show, and a stop that changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vital_core.errors import VitalError
from vital_vlm_reach.pointing.training import train
from vital_vlm_reach.pointing.training.renders import Picture
from vital_vlm_reach.pointing.training.train_state import Progress

SETTINGS = Progress(pictures=4, word_steps=2, steps=4, batch=2, seed=3)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    made = []
    for u, v in ((40.0, 30.0), (300.0, 200.0), (160.0, 120.0)):
        image = rng.integers(0, 60, (240, 320, 3), dtype=np.uint8)
        image[int(v) - 2 : int(v) + 3, int(u) - 2 : int(u) + 3] = (250, 10, 10)
        made.append(Picture(image, {"USB port": (u, v)}, ()))
    return [*made, Picture(made[0].image, {}, ("socket",))]


def test_shifted_picture_keeps_its_point(pictures):
    for seed in range(30):
        picture = pictures[seed % 3]
        image, (u, v) = train._shifted(picture.image, picture.seen["USB port"], np.random.default_rng(seed))
        assert image.shape == (240, 320, 3)
        assert tuple(image[int(v), int(u)]) == (250, 10, 10)


def test_batch_says_what_is_in_view(pictures):
    image, sentence, pixel, present, named = train.draw(pictures, 64, np.random.default_rng(0))
    assert image.shape == (64, 3, 240, 320)
    assert image.min() >= 0.0 and image.max() <= 1.0
    assert sentence.shape[0] == 64 and pixel.shape == (64, 2)
    assert set(present.tolist()) == {0.0, 1.0}
    assert (named[present == 1.0] == train.class_of("USB port")).all()
    assert (named <= len(train.NAMES)).all()


def test_unknown_nouns_have_a_class_of_their_own():
    _, classes = train.draw_words(200, np.random.default_rng(0))
    share = float((classes == len(train.NAMES)).float().mean())
    assert 0.3 < share < 0.5


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_stopped_training_goes_on_to_the_same_weights(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SAVE_EVERY", 2)
    whole = weights(train.train(pictures, tmp_path, SETTINGS))
    (tmp_path / "state.safetensors").unlink()

    def stop_after(step, steps, real=train._rate, calls=[]):  # noqa: B006
        calls.append(step)
        if len(calls) > SETTINGS.word_steps + 3:
            raise KeyboardInterrupt
        return real(step, steps)

    monkeypatch.setattr(train, "_rate", stop_after)
    with pytest.raises(KeyboardInterrupt):
        train.train(pictures, tmp_path, SETTINGS)
    monkeypatch.undo()
    monkeypatch.setattr(train, "SAVE_EVERY", 2)
    for name, tensor in weights(train.train(pictures, tmp_path, SETTINGS)).items():
        assert torch.equal(tensor, whole[name]), name


def test_state_of_other_settings_is_refused(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SAVE_EVERY", 2)
    train.train(pictures, tmp_path, SETTINGS)
    with pytest.raises(VitalError, match="another folder"):
        train.train(pictures, tmp_path, replace(SETTINGS, steps=6))
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(VitalError, match="is no safetensors file"):
        train.train(pictures, tmp_path, SETTINGS)
