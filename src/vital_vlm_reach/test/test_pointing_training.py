"""Training of the pointing network: batches that keep what they show, and a stop that changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vital_core.errors import VitalError
from vital_vlm_reach.pointing.network import Detector, PointingNetwork
from vital_vlm_reach.pointing.text import WORDS
from vital_vlm_reach.pointing.training import prompts, see, train
from vital_vlm_reach.pointing.training.picture import Picture
from vital_vlm_reach.pointing.training.train_state import Progress

SETTINGS = Progress(pictures=4, word_steps=2, steps=4, batch=2, seed=3)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(train, "WORD_BATCH", 8)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    made = []
    for u, v in ((80.0, 60.0), (600.0, 400.0), (320.0, 240.0)):
        image = rng.integers(0, 60, (480, 640, 3), dtype=np.uint8)
        image[int(v) - 4 : int(v) + 5, int(u) - 4 : int(u) + 5] = (250, 10, 10)
        made.append(Picture(image, {"USB port": (u, v)}, ()))
    return [*made, Picture(made[0].image, {}, ("socket",))]


def test_piece_of_a_picture_keeps_its_point(pictures):
    inside = 0
    for seed in range(40):
        image, points = see.cut(pictures[seed % 3], np.random.default_rng(seed))
        u, v = points["USB port"]
        assert image.shape == (288, 384, 3)
        if 4 < u < 380 and 4 < v < 284:
            inside += 1
            red, green, _ = map(int, image[int(v), int(u)])
            assert red > 120 and green < 70
    assert inside > 20


def test_batch_tells_where_a_thing_is_and_leaves_out_what_is_hidden(pictures):
    batch = see.draw(pictures, prompts.NAMES, 32, np.random.default_rng(0))
    assert batch.image.shape == (32, 3, 288, 384) and batch.heat.shape == (32, 10, 36, 48)
    port, socket = prompts.NAMES.index("USB port"), prompts.NAMES.index("socket")
    assert set(batch.heat[:, port].amax((1, 2)).tolist()) == {0.0, 1.0}
    assert (batch.heat[:, [k for k in range(10) if k != port]] == 0.0).all()
    assert set(batch.counts[:, socket].tolist()) == {0.0, 1.0} and (batch.counts[:, socket + 1] == 1.0).all()


def test_what_is_hidden_costs_nothing_whatever_is_answered(pictures):
    batch = see.draw([pictures[3]], prompts.NAMES, 2, np.random.default_rng(0))
    socket = prompts.NAMES.index("socket")

    class Sure(Detector):
        def forward(self, image):
            heat = torch.full((2, 10, 36, 48), -20.0)
            heat[:, socket] = 5.0
            return heat, torch.zeros(2, 2, 36, 48)

    seen, off = see.losses_of(Sure(), batch)
    assert float(seen) < 1e-6 and float(off) == 0.0


def test_sentences_ask_for_every_thing_and_for_nothing():
    sentences, classes = train.draw_words(400, np.random.default_rng(0))
    assert sentences.shape[0] == 400 and sentences.shape[1] <= WORDS
    share = float((classes == len(prompts.NAMES)).float().mean())
    assert 0.3 < share < 0.5 and len(set(classes.tolist())) == len(prompts.NAMES) + 1


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_stopped_training_goes_on_to_the_same_weights(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SAVE_EVERY", 2)
    whole = weights(train.train(pictures, tmp_path, SETTINGS))
    for state in tmp_path.iterdir():
        state.unlink()

    def stop_after(step, steps, real=train._share, calls=[]):  # noqa: B006
        calls.append(step)
        if len(calls) > SETTINGS.word_steps + 3:
            raise KeyboardInterrupt
        return real(step, steps)

    monkeypatch.setattr(train, "_share", stop_after)
    with pytest.raises(KeyboardInterrupt):
        train.train(pictures, tmp_path, SETTINGS)
    monkeypatch.undo()
    monkeypatch.setattr(train, "WORD_BATCH", 8)
    monkeypatch.setattr(train, "SAVE_EVERY", 2)
    for name, tensor in weights(train.train(pictures, tmp_path, SETTINGS)).items():
        assert torch.equal(tensor, whole[name]), name


def test_state_of_other_settings_is_refused(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SAVE_EVERY", 2)
    train.train(pictures, tmp_path, SETTINGS)
    with pytest.raises(VitalError, match="another folder"):
        train.train(pictures, tmp_path, replace(SETTINGS, steps=6))
    state = tmp_path / "pictures.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(VitalError, match="is no safetensors file"):
        train.train(pictures, tmp_path, SETTINGS)


def test_training_begins_from_given_weights(pictures, tmp_path):
    given = PointingNetwork()
    begun = train.train(pictures, tmp_path, replace(SETTINGS, steps=0, word_steps=0), given)
    for name, tensor in begun.state_dict().items():
        assert torch.equal(tensor, given.state_dict()[name]), name
