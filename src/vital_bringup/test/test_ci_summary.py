"""The line with which a test run on a clean checkout closes, from what pytest really writes."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SUMMARY = Path(__file__).parents[3] / ".ci" / "summary.py"
TESTS = """
import pathlib, pytest
def test_good(): pass
@pytest.mark.skip
def test_left_out(): pass
def test_good_when_run_again(tmp_path_factory):
    mark = pathlib.Path(__file__).with_suffix(".seen")
    seen = mark.exists()
    mark.touch()
    assert seen
def test_bad(): assert False
"""


@pytest.mark.skipif(not SUMMARY.exists(), reason="installed without the repository around it")
def test_the_closing_line_counts_what_passed_failed_was_skipped_and_was_run_again(tmp_path):
    made, told = tmp_path / "test_made.py", tmp_path / "told.xml"
    made.write_text(TESTS)
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "--reruns", "1"]
    subprocess.run([*call, f"--junitxml={told}", str(made)], cwd=tmp_path, capture_output=True, check=False)
    line = runpy.run_path(str(SUMMARY))["summary"]([told, tmp_path / "never_written.xml"])
    assert line.startswith("1 failed, 2 passed, 1 skipped, 2 run again in "), line


@pytest.mark.skipif(not SUMMARY.exists(), reason="installed without the repository around it")
def test_the_closing_line_of_runs_that_wrote_nothing_says_so(tmp_path):
    assert runpy.run_path(str(SUMMARY))["summary"]([tmp_path / "a.xml"]).startswith("no tests ran in 0.00s")
