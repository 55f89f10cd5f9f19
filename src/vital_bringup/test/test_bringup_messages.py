"""Messages, calibration and labels of the bring-up."""

import math
from dataclasses import replace

from vital_bringup.tasks import trial_message
from vital_bringup.tasks.ros_skills import SUCCESS_HELD_S, SuccessLabel
from vital_bringup.tasks.trial import Phase, Trial
from vital_core.errors import ErrorCode

TRIAL = Trial(
    3,
    1003,
    "usb_insertion",
    "insert it",
    Phase.REACH,
    False,
    ErrorCode.UNREACHABLE,
    "too far",
    4.5,
    (320.5, 12.0),
)


def test_trial_message_round_trip():
    full = replace(
        TRIAL,
        localization_error_m=0.002,
        reach_error_m=0.001,
        tick_median_ms=1.0,
        tick_p99_ms=2.0,
        jitter_p99_ms=3.0,
    )
    assert trial_message.from_message(trial_message.to_message(full)) == full
    assert math.isnan(trial_message.from_message(trial_message.to_message(TRIAL)).reach_error_m)


def test_success_counts_only_once_it_has_held(monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr("vital_bringup.tasks.ros_skills.steady_s", lambda: now_s[0])
    label = SuccessLabel()
    label.observe(True)
    now_s[0] = SUCCESS_HELD_S / 2
    label.observe(False)
    label.observe(True)
    now_s[0] = SUCCESS_HELD_S * 1.2
    label.observe(True)
    assert not label.given()
    now_s[0] = SUCCESS_HELD_S * 1.6
    label.observe(True)
    assert label.given()
    label.clear()
    assert not label.given()
    label.give()
    assert label.given()
