"""A short real campaign: the instrument itself works, whatever it finds."""

import os
import subprocess
import sys

import pytest

from vital_bringup.chaos import ledger

KINDS = ("command_not_finite", "node_frozen_briefly", "node_killed", "launch_interrupted")


@pytest.mark.slow
def test_faults_over_the_real_stack_are_injected_judged_and_noted(tmp_path):
    command = [sys.executable, "-m", "vital_bringup.chaos.chaos_main", "--faults", "4", "--domain", "60"]
    command += ["--kinds", *KINDS, "--out", str(tmp_path / "run")]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=400)
    output = done.stdout + done.stderr
    assert done.returncode in (0, 1), output
    _, entries = ledger.read(tmp_path / "run" / "ledger.jsonl")
    faults = [entry for entry in entries if entry.number >= 0]
    assert sorted(entry.kind for entry in faults) == sorted(KINDS), output
    for entry in faults:
        assert entry.invariants["safe"], entry.violations
        assert entry.invariants["quiet"], entry.violations
    killed = next(entry for entry in faults if entry.kind == "node_killed")
    assert killed.outcome == "ended with code 1" and killed.invariants["named"]
    again = subprocess.run([*command, "--resume"], env=os.environ, capture_output=True, text=True, timeout=60)
    assert again.returncode == done.returncode and "[" not in again.stdout
