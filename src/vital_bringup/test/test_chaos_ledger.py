"""The ledger of a campaign goes on where it was cut off; the plan follows from its seed; the page from ledgers."""

import argparse
import json
from dataclasses import asdict, replace

import pytest

from vital_bringup.chaos import chaos_main, ledger, report
from vital_bringup.chaos.campaign import schedule
from vital_bringup.chaos.faults.kinds import BY_NAME, KINDS
from vital_bringup.chaos.ledger import Entry, Ledger, Plan
from vital_bringup.chaos.peers import PEERS
from vital_bringup.chaos.verdict import counters
from vital_bringup.chaos.watching import clocks
from vital_core.errors import ErrorCode, VitalError

PLAN = Plan(3, 4, ("node_killed", "joints_jump"), "usb_insertion")
ABOUT = {"commit": "abc", "machine": "two cores", "date": "2026-11-26"}


def entry(number=0, kind="node_killed", violations=()):
    invariants = {"safe": not violations, "rest": True, "named": None}
    return Entry(number, kind, {"node": "frames"}, "ended with code 1", invariants, violations, 8.0)


def test_ledger_goes_on_after_a_line_that_was_cut_off(tmp_path):
    path = tmp_path / "ledger.jsonl"
    first = Ledger(path, PLAN, ABOUT, resume=False)
    first.append(entry(0))
    first.append(entry(1, violations=("safe: too fast",)))
    with path.open("a") as file:
        file.write(json.dumps(asdict(entry(2)))[:40])
    again = Ledger(path, PLAN, ABOUT, resume=True)
    assert again.done == {0, 1} and again.entries == first.entries
    again.append(entry(2))
    assert Ledger(path, PLAN, ABOUT, resume=True).done == {0, 1, 2}


def test_ledger_of_another_plan_is_refused(tmp_path):
    path = tmp_path / "ledger.jsonl"
    Ledger(path, PLAN, ABOUT, resume=False)
    with pytest.raises(VitalError, match="--resume"):
        Ledger(path, PLAN, ABOUT, resume=False)
    with pytest.raises(VitalError, match="the same is expected"):
        Ledger(path, replace(PLAN, seed=4), ABOUT, resume=True)


def test_file_that_is_no_ledger_is_refused(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_text("hello\n")
    with pytest.raises(VitalError) as refused:
        ledger.read(path)
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_plan_has_every_kind_equally_often_and_follows_from_its_seed():
    plan = Plan(1, 2 * len(KINDS), tuple(BY_NAME), "usb_insertion")
    names = schedule(plan)
    assert all(names.count(name) == 2 for name in BY_NAME)
    assert names == schedule(plan) != schedule(replace(plan, seed=2))


def test_every_family_of_faults_is_compared_with_other_systems():
    assert {kind.family for kind in KINDS} == set(PEERS)


def test_counters_of_diagnostics_are_summed_by_name():
    said = {
        "/command_gate": "idle; accepted 3, unusable joint states 4, unusable tactile readings 2, tactile age s 0.01",
        "/frames": "ok; ignored messages 7",
    }
    assert counters(said, ("unusable", "ignored")) == 13
    assert counters(said, ("nothing of it",)) == 0


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"# Title\n\n{report.BEGIN}\nfrom before\n{report.END}\n\nthe end\n")
    return path


def test_page_is_written_between_its_markers_from_the_ledger_alone(tmp_path, page):
    book = Ledger(tmp_path / "run" / "ledger.jsonl", PLAN, ABOUT, resume=False)
    book.append(entry(0))
    book.append(entry(1, violations=("rest: moves at 1.0 rad/s", "clean: left files")))
    book.append(entry(2, kind="joints_jump"))
    book.append(entry(-1, kind="stack_ended"))
    report.write(page, [tmp_path / "run"], KINDS)
    text = page.read_text()
    assert text.startswith("# Title") and text.endswith("the end\n") and "from before" not in text
    assert "| `node_killed` | 2 | 1 | 2 ended with code 1 | 1 rest, 1 clean |" in text
    assert "3 of 4 faults" in text and "2 with every invariant held" in text
    assert "lifecycle_manager.cpp" in text and "JTC" in text
    report.write(page, [tmp_path / "run"], KINDS)
    assert page.read_text() == text


def test_page_without_markers_and_a_run_without_figures_are_refused(tmp_path, page):
    with pytest.raises(VitalError, match="run a campaign first"):
        report.write(page, [tmp_path / "nothing"], KINDS)
    bare = tmp_path / "bare.md"
    bare.write_text("# Title\n")
    with pytest.raises(VitalError, match="needs the lines"):
        report.write(bare, [page], KINDS)


def test_kinds_that_cannot_be_injected_here_are_refused_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(clocks, "LIBRARIES", (f"{tmp_path}/nothing.so",))
    with pytest.raises(VitalError, match="apt-get install libfaketime"):
        chaos_main.check_tools([BY_NAME["clock_jump"]], tmp_path)
    chaos_main.check_tools([BY_NAME["node_killed"]], tmp_path)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("10min", 600.0), ("1h", 3600.0)])
def test_durations_are_read_with_their_unit(text, seconds):
    assert chaos_main.duration_s(text) == seconds
    with pytest.raises(argparse.ArgumentTypeError, match="no time"):
        chaos_main.duration_s("soon")
