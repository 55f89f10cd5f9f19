"""An examination of a pointing model on freshly rendered scenes and sentences that were kept back."""

import numpy as np

from vital_core.statistics import percentile, wilson_interval
from vital_core.task import load_task
from vital_sim.world.fixtures import TARGET_NAMES
from vital_vlm_reach.pointing.interface import PointingModel
from vital_vlm_reach.pointing.training import prompts
from vital_vlm_reach.pointing.training.renders import KINDS, Studio


def examine(model: PointingModel, pictures: int, seed: int) -> dict[str, list[float]]:
    """Per question: pixel errors by case (640 x 480), and right answers (1 or 0) on presence and on absence."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}

    def note(case: str, value: float) -> None:
        found.setdefault(case, []).append(value)

    for i, kind in enumerate(KINDS):
        studio = Studio(kind)
        target = TARGET_NAMES[load_task(kind.task).held_object]
        where = "deployed" if kind.default else kind.scene.background
        for k in range(max(1, round(pictures * kind.share))):
            picture = studio.picture(seed + 100_000 * i + k)
            if target in picture.seen:
                for words, grammar in (("learned", prompts.LEARNED), ("kept back", prompts.KEPT_BACK)):
                    answer = model.point(picture.image, prompts.sentence(grammar, target, rng))
                    note(f"in view, {words} sentences", float(answer.pixel_uv is not None))
                    if answer.pixel_uv is not None:
                        u, v = picture.seen[target]
                        error = np.hypot(answer.pixel_uv[0] - u, answer.pixel_uv[1] - v)
                        note(f"px, {target}, {where}, {words}", float(error))
            missing = [n for n in prompts.TARGETS if n not in picture.seen and n not in picture.hidden]
            nouns = [str(rng.choice(prompts.ABSENT_KEPT_BACK)), *missing]
            for noun in nouns:
                answer = model.point(picture.image, prompts.sentence(prompts.LEARNED, noun, rng))
                kind_of = "the other targets" if noun in missing else "unheard nouns"
                note(f"not in view, {kind_of}", float(answer.pixel_uv is None))
        studio.close()
    return found


def card(facts: dict[str, str], figures: dict[str, list[float]]) -> str:
    """The model card as Markdown."""
    lines = [
        "# Pointing model",
        "",
        "Finds what a sentence names in a 640 x 480 picture, or says that it is not there.",
        "",
    ]
    lines += [f"- {name}: `{value}`" for name, value in facts.items()]
    lines += ["", "Measured on freshly rendered scenes with other seeds:", "", "| case | n | figure |", "|---|---|---|"]
    for case, values in sorted(figures.items()):
        if case.startswith("px"):
            text = f"{percentile(values, 50):.1f} px median, {percentile(values, 90):.1f} px at 90 %"
        else:
            low, high = wilson_interval(int(sum(values)), len(values))
            text = f"{int(sum(values))} right (95 %: {100 * low:.0f} to {100 * high:.0f} %)"
        lines.append(f"| {case} | {len(values)} | {text} |")
    return "\n".join(lines) + "\n"
