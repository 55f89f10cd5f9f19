"""Deploys every task in simulation and prints what was reached, from the deployments' own reports.

./vital shell -c "python bench/deploy.py --trials 20 --seed 1000"
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

COLUMNS = (
    ("success", lambda s: f"{s['successes']}/{s['trials']}"),
    ("95 % interval", lambda s: "{:.0f} to {:.0f} %".format(*(100 * v for v in s["success_interval_95"]))),
    ("localisation, median mm", lambda s: _scaled(s["localization_error_median_m"])),
    ("reach, median mm", lambda s: _scaled(s["reach_error_median_m"])),
    ("tick median ms", lambda s: _plain(s["tick_median_ms"])),
    ("tick p99 ms (worst trial)", lambda s: _plain(s["tick_p99_ms"])),
    ("jitter p99 ms (worst trial)", lambda s: _plain(s["jitter_p99_ms"])),
    ("ends", lambda s: ", ".join(f"{k} {v}" for k, v in s["ends"].items())),
)


def _scaled(value: float | None) -> str:
    return "-" if value is None else f"{1000 * value:.2f}"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def deploy(task: str, trials: int, seed: int, report: Path, more: list[str]) -> dict:
    """Run one deployment; returns its report with the wall time and exit code."""
    command = ["ros2", "launch", "vital_bringup", "deploy.launch.py", f"task:={task}", f"trials:={trials}"]
    command += [f"seed:={seed}", f"report:={report}", *more]
    start = time.monotonic()
    code = subprocess.run(command).returncode
    result = json.loads(report.read_text())
    return result | {"wall_s": time.monotonic() - start, "exit_code": code}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=["usb_insertion", "plug_in_socket"])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("reports/bench"))
    parser.add_argument("more", nargs="*", help="further launch arguments, name:=value")
    options = parser.parse_args()
    results = {}
    for task in options.tasks:
        report = (options.out / f"{task}.json").absolute()
        results[task] = deploy(task, options.trials, options.seed, report, options.more)
    print("| task | " + " | ".join(name for name, _ in COLUMNS) + " | wall s | exit |")
    print("|---" * (len(COLUMNS) + 3) + "|")
    for task, result in results.items():
        cells = [read(result["summary"]) for _, read in COLUMNS]
        print(f"| {task} | " + " | ".join(cells) + f" | {result['wall_s']:.0f} | {result['exit_code']} |")
    sys.exit(max(r["exit_code"] for r in results.values()))


if __name__ == "__main__":
    main()
