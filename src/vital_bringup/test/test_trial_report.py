"""A trial, its record and the report."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from vital_bringup.sessions import report
from vital_bringup.tasks.task_run import Located, PolicyRun, Reached, run_task
from vital_bringup.tasks.trial import Phase, Trial
from vital_core.errors import ErrorCode, VitalError
from vital_core.target import Target

TRIAL = Trial(0, 1000, "usb_insertion", "insert the USB stick into the USB port")


class Skills:
    """Skills that do as they are told."""

    def __init__(self, *, localize=None, reach=None, policy=None, truth=True):
        self.localize_error, self.reach_error, self.truth = localize, reach, truth
        self.policy_run = policy or PolicyRun(True, ErrorCode.OK, "", 40, 1, 3, 11.0, 19.0, 1.5)
        self.calls = []

    def localize(self, prompt, task):
        self.calls.append("localize")
        if self.localize_error:
            raise self.localize_error
        return Located((320.0, 200.0), Target(np.array([0.45, 0.0, 0.03])))

    def reach(self, task, located, seed):
        self.calls.append("reach")
        if self.reach_error:
            raise self.reach_error
        return Reached(np.array([0.45, 0.0, 0.165]), 0.001)

    def run_policy(self, task):
        self.calls.append("policy")
        return self.policy_run

    def true_target_m(self):
        return np.array([0.45, 0.003, 0.034]) if self.truth else None

    def true_tcp_m(self):
        return np.array([0.45, 0.0, 0.1655]) if self.truth else None


def test_success_goes_through_all_phases_and_measures_each():
    skills, phases = Skills(), []
    done = run_task(skills, TRIAL, lambda phase, _: phases.append(phase))
    assert skills.calls == ["localize", "reach", "policy"] == [str(p) for p in phases]
    assert done.success and done.completed and done.phase is Phase.DONE
    assert done.localization_error_m == pytest.approx(0.005)
    assert done.reach_error_m == pytest.approx(0.0005)
    assert (done.commands_sent, done.commands_rejected, done.commands_projected) == (40, 1, 3)


def test_without_truth_the_robots_own_error_is_reported_and_the_rest_is_null():
    done = run_task(Skills(truth=False), TRIAL)
    assert done.reach_error_m == 0.001 and math.isnan(done.localization_error_m)
    assert json.loads(json.dumps(done.to_json()))["localization_error_m"] is None


@pytest.mark.parametrize(
    ("skills", "phase", "code", "completed"),
    [
        (
            Skills(localize=VitalError(ErrorCode.NOT_IN_VIEW, "no banana")),
            Phase.LOCALIZE,
            ErrorCode.NOT_IN_VIEW,
            False,
        ),
        (
            Skills(reach=VitalError(ErrorCode.UNREACHABLE, "too far")),
            Phase.REACH,
            ErrorCode.UNREACHABLE,
            False,
        ),
        (Skills(policy=PolicyRun(False, ErrorCode.GIVE_UP, "time")), Phase.POLICY, ErrorCode.GIVE_UP, True),
        (Skills(policy=PolicyRun(None, ErrorCode.OK, "")), Phase.POLICY, ErrorCode.GIVE_UP, True),
        (
            Skills(policy=PolicyRun(False, ErrorCode.FORCE_LIMIT, "hit")),
            Phase.POLICY,
            ErrorCode.FORCE_LIMIT,
            True,
        ),
        (
            Skills(policy=PolicyRun(False, ErrorCode.STALE_OBSERVATION, "dark")),
            Phase.POLICY,
            ErrorCode.STALE_OBSERVATION,
            False,
        ),
    ],
)
def test_every_end_has_its_phase_and_code(skills, phase, code, completed):
    done = run_task(skills, TRIAL)
    assert (done.phase, done.error_code, done.completed, done.success) == (phase, code, completed, False)


def test_operator_line_names_what_an_operator_asks():
    line = run_task(Skills(), TRIAL).line(20)
    for word in ("trial 1/20", "seed 1000", "success", "5.0 mm", "0.5 mm", "11/19 ms"):
        assert word in line
    failed = run_task(Skills(localize=VitalError(ErrorCode.NOT_IN_VIEW, "nothing like a banana")), TRIAL).line(20)
    assert "NOT_IN_VIEW" in failed and "nothing like a banana" in failed


def test_report_holds_every_trial_and_the_summary(tmp_path):
    trials = [replace(run_task(Skills(), TRIAL), trial=i) for i in range(3)]
    trials.append(run_task(Skills(policy=PolicyRun(False, ErrorCode.GIVE_UP, "time")), TRIAL))
    report.write(tmp_path / "r.json", {"task": "usb_insertion"}, trials)
    written = json.loads((tmp_path / "r.json").read_text())
    assert len(written["trials"]) == 4
    assert written["summary"]["successes"] == 3
    assert written["summary"]["ends"] == {"SUCCESS": 3, "GIVE_UP": 1}
    low, high = written["summary"]["success_interval_95"]
    assert 0 < low < 0.75 < high < 1
    keys = {
        "seed",
        "pixel",
        "localization_error_m",
        "reach_error_m",
        "success",
        "phase",
        "error_code",
        "duration_s",
    }
    keys |= {"tick_median_ms", "tick_p99_ms", "jitter_p99_ms"}
    keys |= {"commands_sent", "commands_rejected", "commands_projected"}
    assert keys <= set(written["trials"][0])


def test_empty_report_is_still_a_report(tmp_path):
    report.write(tmp_path / "r.json", {}, [])
    assert json.loads((tmp_path / "r.json").read_text())["summary"]["success_rate"] is None
