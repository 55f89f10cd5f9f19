"""A deployment's trials: what ends them early, and the report's file, tried before them and no trial's loss later."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from vital_bringup.sessions.deployment import run_trials
from vital_bringup.sessions.session_parameters import DeployParameters
from vital_bringup.tasks.trial import Phase, Trial
from vital_core.errors import ErrorCode, VitalError
from vital_core.files.safe_file import check_writable


def parameters(report, trials=1) -> DeployParameters:
    return DeployParameters(prompt="insert it", trials=trials, report=str(report))


def test_a_report_that_can_be_written_leaves_a_folder_and_nothing_in_it(tmp_path):
    check_writable(tmp_path / "a" / "b" / "r.json", "report:=a/b/r.json")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("report", ["file/r.json", "folder", "x" * 250, "/dev/null", "/proc/r.json"])
def test_a_report_that_cannot_be_written_is_refused_with_what_to_do(tmp_path, report):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(
        VitalError, match=r"cannot be written \(.*name a place that you may write to, or none"
    ) as refusal:
        parameters(tmp_path / report)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("report", ["none", ""])
def test_no_report_has_a_word(report):
    assert parameters(report).report_path is None


class Deployment:
    """Three trials that go well, unless ``during`` one of them something happens: a code ends it."""

    def __init__(self, report, during, *, whole=True) -> None:
        self.parameters, self.said, self._during = parameters(report, trials=3), [], during
        self.tried, self._whole = 0, whole

    def get_logger(self):
        return SimpleNamespace(info=self.said.append, error=self.said.append)

    def wait_for_parts(self, stopping):
        pass

    def run_trial(self, number):
        self.tried += 1
        code = self._during(number)
        trial = Trial(number, 1000 + number, "usb_insertion", "insert it", Phase.DONE, True)
        return trial if code is None else replace(trial, phase=Phase.POLICY).failed(code, "as told")

    def becomes_whole(self):
        return self._whole


RUNNING = SimpleNamespace(is_set=lambda: False)


@pytest.mark.parametrize(
    ("code", "whole", "tried"),
    [
        (ErrorCode.GIVE_UP, False, 3),
        (ErrorCode.NODE_LOST, True, 3),
        (ErrorCode.NODE_LOST, False, 1),
        (ErrorCode.TIMEOUT, True, 3),
        (ErrorCode.NO_CHECKPOINT, True, 1),
    ],
)
def test_further_trials_are_tried_while_the_system_is_whole_or_becomes_it_again(code, whole, tried):
    node = Deployment("none", lambda number: code if number == 0 else None, whole=whole)
    assert run_trials(node, RUNNING) == (0 if code is ErrorCode.GIVE_UP else 1)
    assert node.tried == tried
    assert any("2 further trials not tried" in line for line in node.said) is (tried == 1)


def test_a_report_that_fails_later_costs_no_trial_is_said_and_gives_exit_code_1(tmp_path):
    folder = tmp_path / "reports"

    def spoil(number: int) -> None:
        if number == 1:
            (folder / "r.json").unlink()
            folder.rmdir()
            folder.write_text("")

    node = Deployment(folder / "r.json", spoil)
    assert run_trials(node, RUNNING) == 1
    assert node.tried == 3
    errors = [line for line in node.said if "the report cannot be written" in line]
    assert len(errors) == 2 and "3 of 3 succeeded" in node.said[-1] and "report in" not in node.said[-1]


def test_deploy_by_hand_refuses_it_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    command = [
        sys.executable,
        "-m",
        "vital_bringup.sessions.deploy_node",
        "--ros-args",
        "-p",
        f"report:={tmp_path}/file/r.json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "BAD_PARAMETER 11" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
