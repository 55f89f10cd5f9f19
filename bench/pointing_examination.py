"""How well the embedded network points, with sentences written by hand and scenes of a generator apart from training's.

    ./vital shell -c "python bench/pointing_examination.py [--out runs/pointing_examination] [--weights FILE]"

500 scenes with the target that is asked for and 250 without it, a fifth for each target; three questions a scene. An
answer is lifted with the scene's depth and calibration as reach does it; within 10 mm of the target is right. Scenes
that are in the folder are not asked again, so a run that was stopped goes on; a folder belongs to one set of weights.
"""

import argparse
import json
import sys
from pathlib import Path

from vital_core.files.safe_file import sha256
from vital_vlm_reach.pointing.embedded import EmbeddedPointing, default_weights
from vital_vlm_reach.pointing.examination.examine import TARGETS, examined, report
from vital_vlm_reach.pointing.examination.scenes import Stage


def stored(path):
    """(rows, scenes done) of a run that was stopped; a line that was torn off is left out, and its scene done again."""
    lines = path.read_text().splitlines() if path.exists() else []
    scenes = []
    for line in lines:
        try:
            scenes.append(json.loads(line))
        except json.JSONDecodeError:
            break
    path.write_text("".join(json.dumps(scene) + "\n" for scene in scenes))
    return [row for scene in scenes for row in scene["answers"]], {tuple(scene["key"]) for scene in scenes}


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/pointing_examination"))
    parser.add_argument("--weights", type=Path, help="instead of the shipped ones")
    parser.add_argument("--scenes", type=int, default=500, help="with the target; half as many without")
    given = parser.parse_args()
    weights = given.weights or default_weights()
    model, of = EmbeddedPointing.load(weights), sha256(weights.read_bytes())
    given.out.mkdir(parents=True, exist_ok=True)
    named = given.out / "weights.sha256"
    if named.exists() and named.read_text().strip() != of:
        sys.exit(f"{given.out} holds answers of other weights: give another --out")
    named.write_text(of + "\n")
    path = given.out / "answers.jsonl"
    rows, done = stored(path)
    for target in TARGETS:
        count = given.scenes // len(TARGETS)
        keys = [(target, n, True) for n in range(count)] + [(target, n, False) for n in range(count // 2)]
        if not set(keys) - done:
            continue
        stage = Stage(target)
        for key in keys:
            if key in done:
                continue
            answers = [a.row() for a in examined(model, stage, target, key[1], with_target=key[2])]
            with path.open("a") as file:
                file.write(json.dumps({"key": key, "answers": answers}) + "\n")
            rows += answers
        stage.close()
    (given.out / "report.md").write_text(report(rows) + "\n")
    print(report(rows))


if __name__ == "__main__":
    main()
