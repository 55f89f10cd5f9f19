"""What may be otherwise than where a policy was trained, one thing at a time and by a known amount, in domain.

A perturbed trial is the trial of its seed but for that one thing, so that both are compared in pairs. Whatever has a
side (where an image moves, which way a target is turned) is drawn from the seed.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import Action
from vital_core.task import Task
from vital_sim.world.contact import ContactConfig
from vital_sim.world.fixtures import Block, CardReader, Connector, fixture_for
from vital_sim.world.variation import variation_of

NONE = ""
SHIFT_PX = 5
DARK, BRIGHT = 0.6, 1.5
BLUR_PX = 2.0
YAW_DEG = 20.0
_SIDES = 4711  # tells the draw of a side from every other one of a seed

Image = NDArray[np.uint8]  # (128, 128, 3)
Fields = dict[str, Any]  # of `vital_sim.world.world.WorldConfig`
ImageChange = Callable[[Image, np.random.Generator], Image]


@dataclass(frozen=True)
class Perturbation:
    """One thing that is otherwise."""

    about: str
    """As tables call it."""
    image: ImageChange | None = None
    """What becomes of a wrist image; the generator begins anew with every episode."""
    late_ticks: int = 0
    """How many control periods after it was chosen an action is carried out."""
    world: Callable[[Task], Fields] = lambda _task: {}
    """What is otherwise in the world. Raises VitalError(BAD_PARAMETER) for a task that has nothing of the kind."""

    def perceived(self, image: Image, seed: int) -> Image:
        """A wrist image of the episode of that seed as it is seen."""
        return image if self.image is None else self.image(image, np.random.default_rng((_SIDES, seed)))


def _shifted(image: Image, rng: np.random.Generator) -> Image:
    """The whole image moved to one side or corner, as by a camera that was knocked; its edge is repeated."""
    angle = rng.uniform(-np.pi, np.pi)
    by = np.array([[1, 0, SHIFT_PX * np.cos(angle)], [0, 1, SHIFT_PX * np.sin(angle)]])
    moved = cv2.warpAffine(image, by, image.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _exposed(gain: float) -> ImageChange:
    return lambda image, _rng: np.clip(np.rint(gain * image.astype(np.float32)), 0, 255).astype(np.uint8)


def _blurred(image: Image, _rng: np.random.Generator) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), BLUR_PX), np.uint8)


def _rubbing(share: float) -> Callable[[Task], Fields]:
    usual = ContactConfig()
    rough = replace(usual, friction=share * usual.friction, pad_friction=share * usual.pad_friction)
    return lambda _task: {"contact": rough}


def _wide(share: float) -> Callable[[Task], Fields]:
    def world(task: Task) -> Fields:
        fixture = fixture_for(task.held_object)
        if isinstance(fixture, CardReader):
            length, width, depth = fixture.slot_m
            air = share * (width - fixture.card_m[1])
            return {"fixture": replace(fixture, slot_m=(length, fixture.card_m[1] + air, depth))}
        if isinstance(fixture, Connector):
            return {"fixture": replace(fixture, clearance_m=share * fixture.clearance_m)}
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{task.name} puts nothing into an opening that could be wider")

    return world


def _askew_in_hand(share: float) -> Callable[[Task], Fields]:
    def world(task: Task) -> Fields:
        if isinstance(fixture_for(task.held_object), Block):
            raise VitalError(ErrorCode.BAD_PARAMETER, f"{task.name} begins with an empty hand")
        usual = variation_of(task.name)
        return {"variation": replace(usual, offset_m=share * usual.offset_m, offset_rad=share * usual.offset_rad)}

    return world


def _from_farther(share: float) -> Callable[[Task], Fields]:
    return lambda task: {"variation": replace(variation_of(task.name), start_share=share)}


def _turned(task: Task) -> Fields:
    half = float(np.deg2rad(YAW_DEG))
    return {"variation": replace(variation_of(task.name), target_yaw_rad=(0.0, half))}


PERTURBATIONS: Mapping[str, Perturbation] = {
    "shift_5px": Perturbation("camera knocked: image moved by 5 of 128 px", image=_shifted),
    "dark": Perturbation(f"exposure x {DARK:g}", image=_exposed(DARK)),
    "bright": Perturbation(f"exposure x {BRIGHT:g}", image=_exposed(BRIGHT)),
    "blur_2px": Perturbation("out of focus: Gaussian of 2 px", image=_blurred),
    "late_1": Perturbation("actions one tick late (167 ms)", late_ticks=1),
    "late_2": Perturbation("actions two ticks late (333 ms)", late_ticks=2),
    "friction_half": Perturbation("friction x 0.5", world=_rubbing(0.5)),
    "friction_double": Perturbation("friction x 2", world=_rubbing(2.0)),
    "clearance_70": Perturbation("clearance x 0.7", world=_wide(0.7)),
    "clearance_130": Perturbation("clearance x 1.3", world=_wide(1.3)),
    "in_hand_150": Perturbation("held 1.5 times as askew", world=_askew_in_hand(1.5)),
    "start_150": Perturbation("start region 1.5 times as long, wide and high", world=_from_farther(1.5)),
    "yaw_20": Perturbation("target turned by up to 20 degrees, the start not", world=_turned),
}


def perturbation_of(name: str) -> Perturbation:
    """By its name; `NONE` is nothing otherwise. Raises VitalError(BAD_PARAMETER)."""
    if name == NONE:
        return Perturbation("as trained")
    if name not in PERTURBATIONS:
        expected = ", ".join(PERTURBATIONS)
        raise VitalError(ErrorCode.BAD_PARAMETER, f"perturbation is '{name}', expected one of {expected}")
    return PERTURBATIONS[name]


def world_otherwise(name: str, task: Task) -> Fields:
    """What a perturbation that is of the world alone has otherwise there, for what is shown under it.

    Raises VitalError(BAD_PARAMETER) for another one, and for a task that has nothing of the kind.
    """
    perturbation = perturbation_of(name)
    if perturbation.image is not None or perturbation.late_ticks:
        of_world = ", ".join(key for key, p in PERTURBATIONS.items() if p.image is None and not p.late_ticks)
        text = f"perturbation {name} is of what a policy sees or when it acts, expected one of the world: {of_world}"
        raise VitalError(ErrorCode.BAD_PARAMETER, text)
    return perturbation.world(task)


class Delay:
    """Actions come so many control periods late; until the first the arm stands still."""

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks
        self._waiting: deque[Action] = deque()

    def begin(self) -> None:
        """A new episode."""
        self._waiting.clear()

    def next(self, asked: Action) -> Action:
        """What is carried out now that ``asked`` is asked for."""
        self._waiting.append(asked)
        return self._waiting.popleft() if len(self._waiting) > self._ticks else Action.still(asked.gripper)
