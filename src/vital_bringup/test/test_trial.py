"""A trial's record: what it becomes in a report, in a message and in the operator's line, whatever was measured."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_bringup.sessions.report import closing_line, summary
from vital_bringup.tasks import trial_message
from vital_bringup.tasks.trial import HONEST_ENDS, Phase, Trial
from vital_core.errors import ErrorCode

MEASURED = st.floats(0.0, 1000.0, width=32) | st.just(math.nan)
COUNT = st.integers(0, 10_000)


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    success = draw(st.booleans())
    return Trial(
        trial=draw(COUNT),
        seed=draw(COUNT),
        task="usb_insertion",
        prompt=draw(st.text("abc XYZ", min_size=1, max_size=20)),
        phase=Phase.DONE if success else draw(st.sampled_from(Phase)),
        success=success,
        error_code=ErrorCode.OK if success else draw(st.sampled_from(ErrorCode)),
        message=draw(st.text("abc ", max_size=20)),
        duration_s=draw(st.floats(0.0, 1000.0, width=32)),
        pixel=(draw(MEASURED), draw(MEASURED)),
        localization_error_m=draw(MEASURED),
        reach_error_m=draw(MEASURED),
        tick_median_ms=draw(MEASURED),
        tick_p99_ms=draw(MEASURED),
        jitter_p99_ms=draw(MEASURED),
        commands_sent=draw(COUNT),
        commands_rejected=draw(COUNT),
        commands_projected=draw(COUNT),
    )


@given(trials())
def test_record_is_plain_json_with_null_for_what_was_not_measured(trial):
    record = json.loads(json.dumps(trial.to_json(), allow_nan=False))
    assert record["error_code"] == int(trial.error_code) and record["error"] == trial.error_code.name
    assert (record["reach_error_m"] is None) is math.isnan(trial.reach_error_m)
    assert [value is None for value in record["pixel"]] == [math.isnan(value) for value in trial.pixel]


@given(trials())
def test_record_comes_out_of_its_message_as_it_went_in(trial):
    told = trial_message.from_message(trial_message.to_message(trial))
    assert json.dumps(told.to_json()) == json.dumps(trial.to_json())


@given(trials(), st.integers(1, 999))
def test_operators_line_says_which_trial_how_it_ended_and_why(trial, total):
    line = trial.line(total)
    assert line.startswith(f"trial {trial.trial + 1}/{total}, seed {trial.seed}, ")
    assert trial.success or f"no success in {trial.phase} ({trial.error_code.name})" in line
    assert trial.success or not trial.message or line.endswith(f": {trial.message}")


@given(trials())
def test_trial_is_complete_only_when_the_policy_had_its_time_and_no_part_was_at_fault(trial):
    assert trial.completed == (trial.error_code in HONEST_ENDS and trial.phase in (Phase.POLICY, Phase.DONE))
    assert not trial.failed(ErrorCode.NODE_LOST, "gone").completed


@given(st.lists(trials(), max_size=12))
def test_summary_counts_every_trial_once(done):
    told = summary(done)
    assert told["trials"] == sum(told["ends"].values()) == len(done)
    assert told["successes"] == told["ends"].get("SUCCESS", 0) <= told["completed"] <= len(done)
    low, high = told["success_interval_95"]
    rate = told["success_rate"]
    assert (rate is None) is (not done)
    assert rate is None or (0.0 <= low <= rate + 1e-9 and rate <= high + 1e-9 <= 1.0 + 1e-6)
    json.dumps(told, allow_nan=False)


@given(st.lists(trials(), min_size=1, max_size=12))
def test_last_line_says_how_many_and_names_only_what_was_measured(done):
    line = closing_line(done)
    assert line.startswith(f"{sum(trial.success for trial in done)} of {len(done)} succeeded (95 %: ")
    assert ("localisation" in line) is any(not math.isnan(trial.localization_error_m) for trial in done)


@pytest.mark.parametrize(("code", "completed"), [(ErrorCode.GIVE_UP, True), (ErrorCode.STOPPED, False)])
def test_give_up_is_honest_and_a_stop_is_not(code, completed):
    trial = Trial(0, 1, "usb_insertion", "insert it", Phase.POLICY)
    assert replace(trial, error_code=code).completed is completed
