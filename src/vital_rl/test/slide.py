"""A task in one dimension and a base policy that stands still: small enough to be learned while a test waits."""

import gymnasium
import numpy as np
import torch

from vital_data.dataset.normalisation import Normaliser
from vital_policy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from vital_policy.network.policy import Policy, PolicyConfig
from vital_policy.network.transformer import TransformerConfig
from vital_rl.learner.learning import LearningConfig
from vital_rl.residual.batches import ReplayConfig
from vital_rl.residual.ddpg import DDPGConfig
from vital_rl.residual.networks import ActorConfig, CriticConfig, Exploration

WIDTH = 16
STEP_M = 0.05


class Slide(gymnasium.Env):
    """A tip 0 to 10 cm beside a hole; it succeeds within 1 cm of it. Touch tells how far it is, the image too."""

    def reset(self, *, seed=None, options=None):
        rng = np.random.default_rng(seed)
        self._x, self._steps = float(rng.choice([-1, 1]) * rng.uniform(0.03, 0.1)), 0
        return self._seen(), self._info("")

    def step(self, action):
        self._x += float(np.asarray(action)[0])
        self._steps += 1
        success, over = abs(self._x) < 0.01, self._steps >= 12
        outcome = "success" if success else "time_out" if over else ""
        return self._seen(), float(success), success, over and not success, self._info(outcome)

    def _seen(self):
        image = np.zeros((128, 128, 3), np.uint8)
        image[:, int(np.clip(64 + 500 * self._x, 0, 127))] = 255
        return {"image": image, "tactile": np.full(15, 2000.0 * self._x, np.float32)}

    def _info(self, outcome):
        shown = np.packbits(self._seen()["image"][..., 0] > 0, axis=-1)
        return {"outcome": outcome, "distance_m": abs(self._x), "foreground": shown}


def still(folder, *, touch: bool = True) -> Checkpoint:
    """A base policy that never moves, whose demonstrations reached 5 cm a step: the residual may add 1 cm."""
    torch.manual_seed(0)
    transformer = TransformerConfig(layers=1, heads=2, width=WIDTH)
    policy = Policy(PolicyConfig(keypoints=8, transformer=transformer, touch=touch))
    torch.nn.init.zeros_(policy.head[-2].weight)
    torch.nn.init.zeros_(policy.head[-2].bias)
    half_range = np.array([STEP_M] * 3 + [0.02] * 3 + [0.05])
    normaliser = Normaliser(np.array([0.0] * 6 + [1.0]), half_range, np.full(15, 100.0))
    path = folder / "usb_insertion.safetensors"
    save_checkpoint(path, Checkpoint("usb_insertion", policy, normaliser, 6.0))
    return load_checkpoint(path)


def small_config(updates=4, **changes) -> LearningConfig:
    features = 2 * WIDTH
    ddpg = DDPGConfig(
        critic_only=50,
        actor_every=1,
        learning_rate=1e-3,
        tau=0.05,
        actor_l2=0.0,
        exploration=Exploration(0.6, 0.3, 400),
        batch=64,
        actor=ActorConfig(features=features, hidden=32),
        critic=CriticConfig(features=features, hidden=32),
    )
    replay = ReplayConfig(rows=4000, variants=2, features=features, gamma=0.95)
    return LearningConfig(**{"updates_per_step": updates, "background_share": 0.0, **changes}, ddpg=ddpg, replay=replay)
