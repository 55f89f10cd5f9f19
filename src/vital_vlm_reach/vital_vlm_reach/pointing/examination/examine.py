"""Questions about the examination's scenes, and what became of each: right, elsewhere, missed, refused, false."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from vital_core.errors import VitalError
from vital_core.statistics import percentile, wilson_interval
from vital_vlm_reach.localisation.lifting import lift_pixel
from vital_vlm_reach.pointing.examination.scenes import Scene, Stage
from vital_vlm_reach.pointing.examination.sentences import MAY_REFUSE, Sentence, sentences
from vital_vlm_reach.pointing.interface import PointingModel

RIGHT_MM = 10.0
FIRST_SEED = 800_000
_PER_TARGET = 10_000
TARGETS = tuple(dict.fromkeys(s.target for s in sentences() if s.target is not None))


class Outcome(StrEnum):
    """What a question came to."""

    RIGHT = "right"
    """Within 10 mm of the target."""
    ELSEWHERE = "elsewhere"
    """Pointed, and farther from the target."""
    MISSED = "missed"
    """Refused although the target is in view."""
    REFUSED = "refused"
    """Refused, and rightly so."""
    FALSE = "false"
    """Pointed although nothing is to be found."""


@dataclass(frozen=True)
class Answer:
    """One question of a scene. present: whether its target is in view; error_mm: of what was pointed at in view."""

    scene: str
    sentence: str
    kind: str
    target: str | None
    present: bool
    outcome: Outcome
    error_mm: float | None
    confidence: float

    def row(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def examined(model: PointingModel, stage: Stage, target: str, number: int, *, with_target: bool) -> list[Answer]:
    """Answers about one scene: an English sentence and one of another language about the target, and one sentence
    after which nothing is to be found."""
    seed = FIRST_SEED + _PER_TARGET * list(TARGETS).index(target) + number + (0 if with_target else _PER_TARGET // 2)
    scene, rng = stage.shoot(seed, with_target=with_target), np.random.default_rng([seed, 7])
    known = sentences()
    english = [s for s in known if s.target == target and s.kind != MAY_REFUSE]
    others = [s for s in known if s.target == target and s.kind == MAY_REFUSE]
    nothing = [s for s in known if s.target is None]
    # The sentences about the target in turn, so that each is asked as often.
    asked = [english[number % len(english)], others[number % len(others)], nothing[int(rng.integers(len(nothing)))]]
    return [_answer(model, scene, str(seed), sentence) for sentence in asked]


def _answer(model: PointingModel, scene: Scene, name: str, sentence: Sentence) -> Answer:
    present = sentence.target is not None and sentence.target in scene.pixels_uv
    try:
        pointing = model.point(scene.view.rgb, sentence.text)
        pixel, confidence = pointing.pixel_uv, pointing.confidence
    except VitalError:
        pixel, confidence = None, 0.0
    error = _error_mm(scene, pixel, scene.points_m[sentence.target]) if pixel and present and sentence.target else None
    outcome = _outcome(present, pixel is not None, error)
    return Answer(name, sentence.text, sentence.kind, sentence.target, present, outcome, error, confidence)


def _outcome(present: bool, pointed: bool, error_mm: float | None) -> Outcome:
    if not present:
        return Outcome.FALSE if pointed else Outcome.REFUSED
    if not pointed:
        return Outcome.MISSED
    return Outcome.RIGHT if error_mm is not None and error_mm <= RIGHT_MM else Outcome.ELSEWHERE


def _error_mm(scene: Scene, pixel: tuple[float, float], truth_m: np.ndarray) -> float | None:
    """Of the pixel lifted as reach lifts it; None where depth says nothing there."""
    view = scene.view
    try:
        lifted = lift_pixel(pixel, view.depth_mm, view.camera, scene.t_base_camera)
    except VitalError:
        return None
    return round(1000 * float(np.linalg.norm(lifted.point_m - truth_m)), 2)


def _counted(rows: list[dict[str, Any]], good: tuple[Outcome, ...]) -> str:
    count = sum(row["outcome"] in good for row in rows)
    low, high = wilson_interval(count, len(rows))
    return f"{count} of {len(rows)} ({100 * low:.1f} to {100 * high:.1f} %)"


def _spread(rows: list[dict[str, Any]]) -> str:
    errors = [row["error_mm"] for row in rows if row["error_mm"] is not None]
    return " / ".join(f"{percentile(errors, p):.1f}" for p in (50, 90, 100)) if errors else "-"


def report(rows: list[dict[str, Any]]) -> str:
    """Markdown: the two figures that are asked for, then by kind of sentence and by target."""
    english = [row for row in rows if row["kind"] != MAY_REFUSE]
    present = [row for row in english if row["present"]]
    nothing = [row for row in english if not row["present"]]
    lines = [
        f"- targets in view within {RIGHT_MM:.0f} mm: **{_counted(present, (Outcome.RIGHT,))}**",
        f"- false finds: **{_counted(nothing, (Outcome.FALSE,))}**",
        "",
        "| sentences | asked in view | within 10 mm | elsewhere | missed | error, mm | not in view | false finds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups = [(kind, [r for r in rows if r["kind"] == kind]) for kind in dict.fromkeys(r["kind"] for r in rows)]
    groups += [(f"about the {t}", [r for r in english if r["target"] == t]) for t in TARGETS]
    return "\n".join([*lines, *(_group(name, group) for name, group in groups)])


def _group(name: str, rows: list[dict[str, Any]]) -> str:
    present = [row for row in rows if row["present"]]
    nothing = [row for row in rows if not row["present"]]
    counts = [sum(row["outcome"] == o for row in present) for o in (Outcome.ELSEWHERE, Outcome.MISSED)]
    found = _counted(present, (Outcome.RIGHT,)) if present else "-"
    false = _counted(nothing, (Outcome.FALSE,)) if nothing else "-"
    cells = [name, len(present), found, *counts, _spread(present), len(nothing), false]
    return f"| {' | '.join(map(str, cells))} |"
