"""Who trains is told before it starts what the machine can sustain."""

import time

import pytest
import torch
from slide import small_config, still

from vital_rl.learner.learning import ResidualLearner
from vital_rl.learner.sustained import Sustained, measure


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        (
            120.0,
            "makes 120 updates/s on 2 thread(s), 96 are asked for (16 a step at 6 Hz): learning keeps up with the arm",
        ),
        (48.0, "a step takes 2.0 times as long as the arm needs for it; 8 a step would keep up"),
        (3.0, "a step takes 32.0 times as long as the arm needs for it"),
    ],
)
def test_what_is_sustained_is_told_beside_what_is_asked_for(rate, told):
    sustained = Sustained(rate, threads=2, updates_per_step=16, control_rate_hz=6.0)
    assert sustained.text.endswith(told)
    assert sustained.steps_text(6000).startswith(f"the updates of 6000 steps take {96_000 / rate / 3600:.1f} h")


def test_what_is_counted_is_what_was_done():
    calls: list[int] = []

    def update() -> None:
        calls.append(1)
        time.sleep(0.002)

    found = measure(update, updates_per_step=16, control_rate_hz=6.0, seconds=0.02)
    assert 0.0 < found.updates_per_s < 500.0 and found.threads == torch.get_num_threads()
    assert len(calls) > 3 and found.asked_per_s == 96.0
    assert measure(update, 16, 6.0, seconds=0.0).updates_per_s > 0.0


def test_measuring_moves_nothing_of_what_is_learned(tmp_path):
    learner = ResidualLearner(small_config(), still(tmp_path))
    torch.manual_seed(7)
    before, expected = learner.networks.state(), torch.rand(3)
    torch.manual_seed(7)
    found = learner.sustained()
    assert torch.equal(torch.rand(3), expected) and learner.updates == 0
    torch.testing.assert_close(learner.networks.state(), before, rtol=0, atol=0)
    assert found.updates_per_step == learner.config.updates_per_step and found.control_rate_hz == 6.0
