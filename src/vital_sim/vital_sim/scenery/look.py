"""What may be chosen of the scene's look, and the colours of the targets' housings."""

from dataclasses import dataclass
from typing import NamedTuple

from vital_core.errors import ErrorCode, VitalError

BACKGROUNDS = ("green", "plain", "clutter")
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


@dataclass(frozen=True)
class SceneConfig:
    """Appearance of the scene."""

    background: str = "green"
    """What lies on the table: a green screen (demonstrations and the deployment's default), a plain table of any
    colour, or a patterned one with clutter."""
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
