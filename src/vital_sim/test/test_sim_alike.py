"""Where formulas were written anew for speed, episodes are the ones that the plain formulas give.

Until fingers strike the table: where rigid parts meet without a spring between them, the last bit of a sum grows to
micrometres within a few steps, whatever the formulas.
"""

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import MAX_JOINT_SPEED_RAD_S
from vital_sim.cameras.cameras import _Exposure
from vital_sim.gym.env import VitalEnv
from vital_sim.world.arm import ArmConfig, TrackingFilter
from vital_sim.world.hand import HeldGrasp


def plain_filter_step(self: TrackingFilter, dt_s: float) -> np.ndarray:
    """The tracking filter on arrays, joint by joint at once."""
    self._now_s += dt_s
    while self._queue and self._queue[0][0] <= self._now_s + 1e-9:
        self._delayed = self._queue.popleft()[1]
    w, before = self._config.bandwidth_rad_s, np.array(self._speed)
    error = self.reference - self._delayed
    slope = before + w * error
    decay = np.exp(-w * dt_s)
    speed = (before - w * slope * dt_s) * decay
    self._speed = np.clip(speed, -MAX_JOINT_SPEED_RAD_S, MAX_JOINT_SPEED_RAD_S)
    limited = np.abs(speed) > MAX_JOINT_SPEED_RAD_S
    smooth = self._delayed + (error + slope * dt_s) * decay
    farthest = MAX_JOINT_SPEED_RAD_S * dt_s
    near = np.clip(smooth, self.reference - farthest, self.reference + farthest)
    self.reference = np.where(limited, self.reference + self._speed * dt_s, near)
    return self.reference


def plain_grasp_step(self: HeldGrasp, seconds: float) -> None:
    excess = self.displacement()
    excess -= np.clip(excess, -self._slip, self._slip)
    if excess.any():
        self._rest += excess


def plain_exposure(self: _Exposure, image: np.ndarray) -> np.ndarray:
    self._drift = 0.95 * self._drift + 0.008 * self._rng.standard_normal()
    table = np.clip(np.arange(256) * (self._gain + self._drift), 0, 255).astype(np.uint8)
    start = int(self._rng.integers(self._bank.size // 2))
    noise = self._bank[start : start + image.size].reshape(self._shape)
    return np.clip(cv2.LUT(image, table).astype(np.int16) + noise, 0, 255).astype(np.uint8)


def episode(task: str, seed: int, steps: int) -> dict[str, np.ndarray]:
    """What an arm goes through that is pushed about, into the table too."""
    env, rng = VitalEnv(task), np.random.default_rng(seed)
    kept: dict[str, list] = {"image": [], "tactile": [], "joints": [], "tip": []}
    seen, _ = env.reset(seed=seed)
    for _ in range(steps):
        action = np.array([*rng.uniform(-0.004, 0.004, 2), 0.004, *rng.uniform(-0.02, 0.02, 3), 1.0])
        seen, *_ = env.step(action)
        kept["image"].append(seen["image"])
        kept["tactile"].append(seen["tactile"])
        kept["joints"].append(env.world.joints_rad)
        kept["tip"].append(env.world.site_pose("tip"))
    env.close()
    return {name: np.array(values) for name, values in kept.items()}


@pytest.mark.parametrize(("task", "seed", "steps"), [("usb_insertion", 3, 40), ("pick_block", 4, 24)])
def test_episode_is_the_one_of_the_plain_formulas(monkeypatch, task, seed, steps):
    found = episode(task, seed, steps)
    with monkeypatch.context() as plain:
        plain.setattr(pose_of, "rotation_matrix", lambda v: Rotation.from_rotvec(np.asarray(v, float)).as_matrix())
        plain.setattr(pose_of, "rotation_vector", lambda m: Rotation.from_matrix(m).as_rotvec())
        plain.setattr(pose_of, "cross", np.cross)
        plain.setattr(TrackingFilter, "step", plain_filter_step)
        plain.setattr(HeldGrasp, "step", plain_grasp_step)
        plain.setattr(_Exposure, "apply", plain_exposure)
        wanted = episode(task, seed, steps)
    assert np.ptp(wanted["tip"][:, 2, 3]) > 0.005  # it did move
    np.testing.assert_allclose(found["joints"], wanted["joints"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found["tip"], wanted["tip"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found["tactile"], wanted["tactile"], rtol=1e-6, atol=1e-3)
    np.testing.assert_array_equal(found["image"], wanted["image"])


@pytest.mark.parametrize("jump_rad", [0.01, 0.5, -2.0])
def test_filter_is_the_plain_one_at_its_speed_limit_too(jump_rad):
    one, other = TrackingFilter(ArmConfig()), TrackingFilter(ArmConfig())
    for tracking in (one, other):
        tracking.reset(np.zeros(7))
        tracking.command(jump_rad * np.linspace(-1.0, 1.0, 7))
    for dt_s in np.tile([0.004, 0.004, 0.0005], 80):
        np.testing.assert_allclose(one.step(dt_s), plain_filter_step(other, dt_s), rtol=0, atol=1e-12)
