"""The four settings in which a policy is measured (paper, section 4): where it was trained, and three times elsewhere.

Trial after trial takes the variants of a setting in turn.
"""

from dataclasses import dataclass, replace

import numpy as np

from vital_core.errors import ErrorCode, VitalError
from vital_sim.world.look import SceneConfig
from vital_sim.world.variation import Variation, variation_of

SETTINGS = ("in_domain", "spatial", "scene", "both")
# Positions (x, y, m) and yaw (degrees) of the target that no demonstration has seen.
PLACES = ((0.52, 0.11, 30.0), (0.40, -0.13, -25.0), (0.53, -0.09, 15.0))
PLACE_SPREAD_M, PLACE_SPREAD_RAD = 0.01, float(np.deg2rad(2.0))
# Looks that no training has seen: patterned tables under other lights, with things close to the target.
LOOK_SEEDS = (9101, 9202, 9303)
CLUTTER = SceneConfig("clutter", distractors=5, clearance_m=0.065, light_variation=0.3)


@dataclass(frozen=True)
class Variant:
    """What a trial's world looks like and where its target is."""

    scene: SceneConfig
    variation: Variation


def variants_of(task: str, setting: str) -> tuple[Variant, ...]:
    """The variants of a setting: one in domain, otherwise three. Raises VitalError(BAD_PARAMETER)."""
    if setting not in SETTINGS:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"setting is '{setting}', expected one of {', '.join(SETTINGS)}")
    home = Variant(SceneConfig(), variation_of(task))
    if setting == "in_domain":
        return (home,)
    moved, dressed = setting in ("spatial", "both"), setting in ("scene", "both")
    return tuple(
        Variant(
            replace(CLUTTER, look_seed=LOOK_SEEDS[i]) if dressed else home.scene,
            _moved(home.variation, PLACES[i]) if moved else home.variation,
        )
        for i in range(len(PLACES))
    )


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
