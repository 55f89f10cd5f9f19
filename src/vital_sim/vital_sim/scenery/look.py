"""What may be chosen of the scene's look, and the colours of the targets' housings."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vital_core.errors import ErrorCode, VitalError

BACKGROUNDS = ("green", "plain", "clutter", "generated")
Colour = tuple[float, float, float]


class HousingColours(NamedTuple):
    """RGB, 0 to 1."""

    face: Colour
    lead_in: Colour
    inside: Colour
    skirt: Colour


HOUSING_COLOURS = {
    "usb_stick": HousingColours((0.20, 0.24, 0.34), (0.80, 0.82, 0.85), (0.02, 0.02, 0.03), (0.16, 0.19, 0.28)),
    "plug": HousingColours((0.93, 0.93, 0.90), (0.55, 0.55, 0.55), (0.03, 0.03, 0.03), (0.88, 0.88, 0.85)),
    "key": HousingColours((0.74, 0.62, 0.30), (0.92, 0.84, 0.55), (0.03, 0.02, 0.02), (0.60, 0.48, 0.20)),
    "card": HousingColours((0.42, 0.44, 0.47), (0.75, 0.76, 0.78), (0.02, 0.02, 0.02), (0.30, 0.32, 0.35)),
}


class TargetColours(NamedTuple):
    """RGB, 0 to 1, of a target's parts; a block has a face alone."""

    face: Colour
    lead_in: Colour
    inside: Colour
    skirt: Colour
    trim: Colour
    """The hub beside a port, the bezel of a lock, the plate of a socket."""


TRIM: dict[str, Colour] = {
    "usb_stick": (0.12, 0.14, 0.20), "plug": (0.96, 0.96, 0.94), "key": (0.55, 0.56, 0.58), "card": (0.30, 0.32, 0.35)
}  # fmt: skip
BLOCK_COLOUR: Colour = (0.75, 0.25, 0.15)
_STEEL: Colour = (0.75, 0.76, 0.78)


def nominal_colours(held_object: str) -> TargetColours:
    """A target's own colours: those of demonstrations and of the settings that are named for the paper's."""
    if held_object not in HOUSING_COLOURS:
        return TargetColours(*[BLOCK_COLOUR] * 5)
    return TargetColours(*HOUSING_COLOURS[held_object], TRIM[held_object])


def _plastic(face: Colour, lead_in: Colour = _STEEL, trim: Colour | None = None) -> TargetColours:
    """Of one plastic, its sides a little darker, dark inside."""
    red, green, blue = face
    return TargetColours(face, lead_in, (0.03, 0.03, 0.03), (0.85 * red, 0.85 * green, 0.85 * blue), trim or face)


# What ports, sockets, locks, readers and blocks are sold in, the nominal one among them.
REAL_COLOURS: dict[str, tuple[TargetColours, ...]] = {
    "usb_stick": (
        nominal_colours("usb_stick"),
        _plastic((0.06, 0.06, 0.07)),
        _plastic((0.88, 0.88, 0.88)),
        _plastic((0.62, 0.63, 0.65)),
        _plastic((0.10, 0.20, 0.45), trim=(0.06, 0.06, 0.07)),
    ),
    "plug": (
        nominal_colours("plug"),
        _plastic((0.90, 0.86, 0.74), (0.55, 0.50, 0.40)),  # ivory
        _plastic((0.70, 0.70, 0.71), (0.45, 0.45, 0.45)),
        _plastic((0.13, 0.13, 0.14), (0.35, 0.35, 0.36)),
        _plastic((0.93, 0.93, 0.90), (0.55, 0.55, 0.55), _STEEL),  # white in a steel plate
    ),
    "key": (
        nominal_colours("key"),
        _plastic((0.70, 0.70, 0.71), (0.86, 0.86, 0.87), (0.55, 0.56, 0.58)),  # nickel
        _plastic((0.80, 0.68, 0.36), (0.93, 0.86, 0.60), (0.74, 0.62, 0.30)),  # brass in brass
        _plastic((0.36, 0.29, 0.20), (0.58, 0.48, 0.34), (0.30, 0.24, 0.17)),  # bronze
        _plastic((0.12, 0.12, 0.12), (0.60, 0.60, 0.62), (0.10, 0.10, 0.10)),
    ),
    "card": (
        nominal_colours("card"),
        _plastic((0.10, 0.10, 0.11)),
        _plastic((0.85, 0.83, 0.78)),
        _plastic((0.16, 0.24, 0.40)),
        _plastic((0.62, 0.63, 0.65)),
    ),
    "block": tuple(
        TargetColours(*[colour] * 5)
        for colour in (
            BLOCK_COLOUR, (0.15, 0.30, 0.70), (0.15, 0.50, 0.25), (0.88, 0.72, 0.15), (0.76, 0.60, 0.42),
            (0.88, 0.88, 0.86), (0.12, 0.12, 0.13),
        )
    ),
}  # fmt: skip


PART_JITTER = 0.08
"""Relative, of each part's colour: what lamps and lots of plastic make of one and the same part."""


def drawn_colours(held_object: str, rng: np.random.Generator) -> TargetColours:
    """Of a target as there are some, and no two quite alike."""
    kinds = REAL_COLOURS[held_object]
    parts = kinds[rng.integers(len(kinds))]
    drawn = [tuple(np.clip(np.array(part) * (1.0 + PART_JITTER * rng.uniform(-1, 1)), 0.0, 1.0)) for part in parts]
    return TargetColours(*drawn)


@dataclass(frozen=True)
class SceneConfig:
    """Appearance of the scene."""

    background: str = "green"
    """What lies on the table: a green screen (demonstrations and the deployment's default), a plain table of any
    colour, a patterned one with clutter, or a look that is drawn: surface, lights, target's colours."""
    distractors: int | None = None
    """How many other things stand about; None: 4 for clutter, otherwise 0."""
    clearance_m: float = 0.10
    """How far they keep from the target and from each other."""
    extra_target: str | None = None
    """The held object ("usb_stick", "plug", "key", "card") whose target stands about as well, for seeing only."""
    light_variation: float = 0.15
    """Relative, 0 for none."""
    colour_variation: float = 0.05
    """Relative, 0 for none."""
    look_seed: int | None = None
    """Of surfaces, lights and distractors in every episode; None: the episode's own."""

    def __post_init__(self) -> None:
        if self.background not in BACKGROUNDS:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"background is '{self.background}', expected one of {', '.join(BACKGROUNDS)}",
            )
        if self.extra_target is not None and self.extra_target not in HOUSING_COLOURS:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"extra_target is '{self.extra_target}', expected one of {', '.join(HOUSING_COLOURS)}",
            )

    @property
    def distractor_count(self) -> int:
        """Number of distractors that are wanted in view."""
        return (4 if self.background == "clutter" else 0) if self.distractors is None else self.distractors
