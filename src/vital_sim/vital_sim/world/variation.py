"""What changes from episode to episode, and the settings in which a policy is measured.

Four are the paper's (section 4): where it was trained, and three times elsewhere. Two more take `LOOKS` in place of the
three looks, so that what is said of unseen looks rests on more than three. Trial after trial takes the
variants in turn.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from vital_core.errors import ErrorCode, VitalError
from vital_sim.scenery.look import SceneConfig

SETTINGS = ("in_domain", "spatial", "scene", "both")
LOOK_SETTINGS = ("looks", "looks_both")
# Beyond the paper, which names it as its limit: the target stands on a block that leans so far, to any side.
TILTS_DEG = {"tilt_10": 10.0, "tilt_20": 20.0, "tilt_30": 30.0}
DEPLOYMENT = "deployment"
ALL_SETTINGS = (*SETTINGS, *LOOK_SETTINGS, *TILTS_DEG, DEPLOYMENT)
# Where a policy meets a target that lies otherwise than in demonstrations: it is located first, as on a robot.
LOCATED = ("spatial", "both", *TILTS_DEG, DEPLOYMENT)
# Positions (x, y, m) and yaw (degrees) of the target that no demonstration has seen.
PLACES = ((0.52, 0.11, 30.0), (0.40, -0.13, -25.0), (0.53, -0.09, 15.0))
# Those of whole deployments, among things (paper, table 5): seed s stands at place s modulo 5.
DEPLOYMENT_PLACES = (
    (0.49, 0.07, 20.0), (0.42, 0.11, -15.0), (0.40, -0.05, 25.0), (0.51, -0.12, -20.0), (0.53, 0.01, 10.0)
)  # fmt: skip
PLACE_SPREAD_M, PLACE_SPREAD_RAD = 0.01, float(np.deg2rad(2.0))
# Looks that no training has seen: patterned tables under other lights, with things close to the target.
LOOK_SEEDS = (9101, 9202, 9303)
# Looks drawn from a generator of their own, each with up to five things close to the target.
LOOKS = tuple(range(70_001, 70_025))
MOST_DISTRACTORS = 5
CLUTTER = SceneConfig("clutter", distractors=5, clearance_m=0.065, light_variation=0.3)
AMONG_THINGS = SceneConfig(distractors=5, clearance_m=0.065)


@dataclass(frozen=True)
class Variation:
    """Centres and half ranges of uniform draws, in `link_base`."""

    target_x_m: tuple[float, float] = (0.45, 0.04)
    """Centre of the opening."""
    target_y_m: tuple[float, float] = (0.0, 0.04)
    """Centre of the opening."""
    target_z_m: tuple[float, float] = (0.035, 0.005)
    """Centre of the opening; a block lies on the table, as high as it is."""
    target_yaw_rad: tuple[float, float] = (0.0, float(np.deg2rad(2.0)))
    """Of the opening, about its axis."""
    target_tilt_rad: float = 0.0
    """Of the opening's axis from the vertical, to any side."""
    start_share: float = 1.0
    """Length, width and height of the start region, in shares of the task's."""
    offset_m: float = 0.0015
    """Half range of the object's in-hand offset about nominal, along each axis."""
    offset_rad: float = float(np.deg2rad(4.0))
    """The same, about each axis."""


EXACT = Variation(offset_m=0.0, offset_rad=0.0)
_SOME_YAW = float(np.deg2rad(8.0))
# Where a task's own range differs: a lock is turned, a block lies on the table as it fell.
VARIATIONS = {
    "card_swipe": Variation(target_x_m=(0.50, 0.04)),
    "key_in_lock": Variation(target_yaw_rad=(0.0, _SOME_YAW)),
    "pick_block": Variation(target_yaw_rad=(0.0, _SOME_YAW)),
}
# Whose target stands on no block that could lean.
LIE_ON_THE_TABLE = ("pick_block",)


def variation_of(task: str) -> Variation:
    """What changes from episode to episode where a task is trained."""
    return VARIATIONS.get(task, Variation())


@dataclass(frozen=True)
class Variant:
    """What a trial's world looks like and where its target is."""

    scene: SceneConfig
    variation: Variation


def variants_of(task: str, setting: str) -> tuple[Variant, ...]:
    """The variants of a setting: one in domain and tilted, one a look, five of a deployment, otherwise three.

    Raises VitalError(BAD_PARAMETER).
    """
    if setting not in ALL_SETTINGS:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"setting is '{setting}', expected one of {', '.join(ALL_SETTINGS)}")
    home = Variant(SceneConfig(), variation_of(task))
    if setting in TILTS_DEG:
        if task in LIE_ON_THE_TABLE:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"the target of {task} lies on the table, which is level")
        tilt_rad = float(np.deg2rad(TILTS_DEG[setting]))
        return (replace(home, variation=replace(home.variation, target_tilt_rad=tilt_rad)),)
    if setting == "in_domain":
        return (home,)
    if setting == DEPLOYMENT:
        return tuple(Variant(AMONG_THINGS, _moved(home.variation, place)) for place in DEPLOYMENT_PLACES)
    if setting in LOOK_SETTINGS:
        places = PLACES if setting == "looks_both" else (None,)
        return tuple(
            Variant(generated_scene(look), _moved(home.variation, place) if place else home.variation)
            for look, place in zip(LOOKS, itertools.cycle(places), strict=False)
        )
    moved, dressed = setting in ("spatial", "both"), setting in ("scene", "both")
    return tuple(
        Variant(
            replace(CLUTTER, look_seed=LOOK_SEEDS[i]) if dressed else home.scene,
            _moved(home.variation, PLACES[i]) if moved else home.variation,
        )
        for i in range(len(PLACES))
    )


def variant_name(setting: str, variant: int) -> str:
    """What is told of a variant: its place (from 1), its look (the seed it is drawn from), `home` where it has neither.

    Raises IndexError for a variant that the setting has not.
    """
    places = {"spatial": PLACES, "both": PLACES, "looks_both": PLACES * (len(LOOKS) // len(PLACES))}
    looks = {"scene": LOOK_SEEDS, "both": LOOK_SEEDS, **dict.fromkeys(LOOK_SETTINGS, LOOKS)}
    places[DEPLOYMENT] = DEPLOYMENT_PLACES
    told = []
    if setting in places:
        told.append(f"place {places[setting].index(places[setting][variant]) + 1}")
    if setting in looks:
        told.append(f"look {looks[setting][variant]}")
    return ", ".join(told) or "home"


def generated_scene(look: int) -> SceneConfig:
    """The scene of one of `LOOKS`, or of any other seed."""
    distractors = int(np.random.default_rng(look).integers(MOST_DISTRACTORS + 1))
    return SceneConfig("generated", distractors=distractors, clearance_m=CLUTTER.clearance_m, look_seed=look)


def _moved(variation: Variation, place: tuple[float, float, float]) -> Variation:
    x, y, yaw_deg = place
    # What the target is turned by within its own range is turned along.
    spread = max(PLACE_SPREAD_RAD, variation.target_yaw_rad[1])
    return replace(
        variation,
        target_x_m=(x, PLACE_SPREAD_M),
        target_y_m=(y, PLACE_SPREAD_M),
        target_yaw_rad=(float(np.deg2rad(yaw_deg)), spread),
    )
