"""Results of made-up cells: what is compared with what, how it is written, how trials are dealt out."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import Action
from vital_sim import TASKS, environment_id
from vital_sim.evaluation import report, report_page
from vital_sim.evaluation.evaluation import (
    Cell,
    Trial,
    finished_trials,
    read_report,
    report_of,
    run_trials,
    write_report,
)
from vital_sim.evaluation.report_page import KINDS
from vital_sim.evaluation.results import METHODS, Rate, Results, name_of, paper_rate
from vital_sim.evaluation.workers import make_env, portions
from vital_sim.gym.outcome import FAILURES
from vital_sim.world.variation import SETTINGS

CELL = Cell("usb_insertion", "in_domain", 100, 4, {"sha256": "a" * 64, "method": "m", "ensemble_decay": 0.1})
OUTCOMES = ("force_limit", "jammed", "missed", "dropped", "time_out")


def trial(seed, success=True, failure="missed"):
    return Trial(seed, 0, success, "" if success else failure, 9, 0, 0.0, 0.0, 0.0, 0.0, 12.0)


def cell(task="usb_insertion", setting="in_domain", method="vital_bc", outcomes=(True,), seed=20_000, kind="missed"):
    trials = [trial(seed + i, won, kind) for i, won in enumerate(outcomes)]
    about = {"sha256": f"{method}{'0' * 60}", "method": method}
    return report_of(Cell(task, setting, seed, len(trials), about), trials, f"evaluate {method}")


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=60), st.integers(1, 9))
def test_every_seed_is_dealt_out_once_in_small_pieces(seeds, batch):
    pieces = portions(seeds, batch)
    assert [seed for piece in pieces for seed in piece] == seeds
    assert all(0 < len(piece) <= 2 * batch for piece in pieces)


@given(st.integers(1, 200), st.data())
def test_interval_contains_the_share_and_narrows_with_trials(trials, data):
    successes = data.draw(st.integers(0, trials))
    few, many = Rate(successes, trials), Rate(10 * successes, 10 * trials)
    low, high = few.interval
    assert 0.0 <= low <= few.share + 1e-12 and few.share - 1e-12 <= high <= 1.0
    assert many.interval[1] - many.interval[0] < high - low
    assert str(few).startswith(f"{successes}/{trials} (")


@given(st.lists(st.tuples(st.integers(0, 500), st.booleans(), st.sampled_from(OUTCOMES)), unique_by=lambda t: t[0]))
def test_report_counts_every_trial_once(drawn):
    done = [trial(seed, won, kind) for seed, won, kind in drawn]
    made = report_of(CELL, done, "evaluate")
    assert made["finished"] == len(done) == made["successes"] + sum(made["failures"].values())
    assert [t["seed"] for t in made["each"]] == sorted(t.seed for t in done)
    assert made["success_rate"] == (made["successes"] / len(done) if done else 0.0)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40), st.integers(0, 20))
def test_pairs_are_compared_on_common_seeds_alone(outcomes, shift):
    ours, theirs = zip(*outcomes, strict=True)
    results = Results([cell(outcomes=ours), cell(method="visk", outcomes=theirs, seed=20_000 + shift)])
    common = len(outcomes) - shift
    pairs = list(results.pairs())
    assert len(pairs) == (1 if common > 0 else 0)
    for pair in pairs:
        expected = sum(a and not b for a, b in zip(ours[shift:], theirs[:common], strict=True))
        assert (pair.a, pair.b, pair.comparison.only_a) == ("vital_bc", "visk", expected)


def test_methods_come_in_the_papers_order_and_others_by_name():
    results = Results([cell(method=m) for m in ("zebra", "vital", "baku", "aardvark")])
    assert results.methods == ["baku", "vital", "aardvark", "zebra"]
    assert [name_of(m) for m in results.methods] == ["BAKU", "ViTaL", "aardvark", "zebra"]


def test_tasks_come_in_the_papers_order():
    results = Results([cell(task=t) for t in reversed(TASKS)])
    assert results.tasks == list(TASKS)


def test_what_was_not_measured_is_none():
    results = Results([cell()])
    assert results.rate("usb_insertion", "scene", "vital_bc") is None
    assert results.report("usb_insertion", "in_domain", "visk") is None
    assert results.rate("usb_insertion", "in_domain", "vital_bc").trials == 1


def test_cell_without_a_finished_trial_is_left_out(tmp_path):
    write_report(tmp_path / "a.json", CELL, [], "evaluate")
    write_report(tmp_path / "b.json", replace(CELL, setting="scene"), [trial(100)], "evaluate")
    results = Results.read(tmp_path)
    assert results.rate("usb_insertion", "in_domain", "m") is None
    assert results.rate("usb_insertion", "scene", "m").successes == 1


@pytest.mark.parametrize(
    "change",
    [{"task": "card_swipe"}, {"setting": "both"}, {"seed": 7}, {"policy": {**CELL.policy, "ensemble_decay": 0.2}}],
)
def test_file_of_another_cell_is_refused_with_what_differs(tmp_path, change):
    write_report(tmp_path / "cell.json", CELL, [trial(100)], "evaluate")
    (field,) = change
    with pytest.raises(VitalError, match="is of another cell") as refusal:
        finished_trials(tmp_path / "cell.json", replace(CELL, **change))
    assert refusal.value.code is ErrorCode.BAD_PARAMETER
    assert ("ensemble_decay" if field == "policy" else field) in str(refusal.value)


def test_a_cell_whose_target_is_located_is_another_one_with_a_file_of_its_own(tmp_path):
    located = replace(CELL, start="reach")
    assert (CELL.name, located.name) == ("usb_insertion_in_domain_m", "usb_insertion_in_domain_located_m")
    path = tmp_path / "cell.json"
    write_report(path, CELL, [], "evaluate")
    without = json.loads(path.read_text())
    del without["start"]
    path.write_text(json.dumps(without))
    assert finished_trials(path, CELL) == []
    with pytest.raises(VitalError, match="start told, expected reach"):
        finished_trials(path, located)


def test_located_cells_stand_in_a_table_of_their_own_and_not_among_those_that_were_told():
    told, located = cell(outcomes=(True, False)), {**cell(outcomes=(True, True)), "start": "reach"}
    tilted = {**cell(outcomes=(False,)), "setting": "tilt_30", "start": "reach"}
    results = Results([told, located, tilted])
    assert results.rate("usb_insertion", "in_domain", "vital_bc").successes == 1
    assert len(results.located) == 2 and "Where the target is located first" in report.markdown(results)


def test_more_trials_or_another_name_are_still_the_same_cell(tmp_path):
    write_report(tmp_path / "cell.json", CELL, [trial(100), trial(103)], "evaluate")
    longer = replace(CELL, trials=50, policy={**CELL.policy, "method": "renamed"})
    assert [t.seed for t in finished_trials(tmp_path / "cell.json", longer)] == [100, 103]
    assert [t.seed for t in finished_trials(tmp_path / "cell.json", replace(CELL, trials=2))] == [100]


def test_malformed_trials_of_a_file_are_refused(tmp_path):
    path = tmp_path / "cell.json"
    write_report(path, CELL, [trial(100)], "evaluate")
    path.write_text(path.read_text().replace('"success": true', '"success": "yes"'))
    with pytest.raises(VitalError, match="another --out"):
        finished_trials(path, CELL)


# Cells of before do not say how targets were located, and in which view: they were told, in the window.
FIELDS = sorted(set(cell()) - {"start", "wrist_view", "perturbation"})


def spoilt(**changes):
    """A cell's report with other values, or (None) without them."""
    report_read = json.loads(json.dumps(cell(outcomes=(True, False, True))))
    for name, value in changes.items():
        if value is None:
            del report_read[name]
        else:
            report_read[name] = value
    return report_read


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        *(({name: None}, name) for name in FIELDS),
        ({"successes": 3}, "3 of 3 trials are said to succeed, expected 2 of 3"),
        ({"finished": 4}, "2 of 4 trials are said to succeed, expected 2 of 3"),
        ({"policy": {"method": "m"}}, "policy has no sha256"),
        ({"policy": {"sha256": "a"}}, "policy has no method"),
        ({"seed": "1"}, "seed is '1'"),
        ({"failures": {"missed": -1}}, "failures"),
        ({"note": "by hand"}, "'note' is unknown"),
    ],
)
def test_result_that_is_not_whole_is_refused_with_what_is_wrong(tmp_path, changes, word):
    path = tmp_path / "cell.json"
    path.write_text(json.dumps(spoilt(**changes)))
    for read in (lambda: Results.read(tmp_path), lambda: finished_trials(path, CELL)):
        with pytest.raises(VitalError) as refusal:
            read()
        assert refusal.value.code is ErrorCode.BAD_PARAMETER
        assert word in refusal.value.message and "cell.json" in refusal.value.message


@given(st.integers(0, 2_000))
@settings(max_examples=30, deadline=None)
def test_torn_result_is_refused(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("torn") / "cell.json"
    whole = json.dumps(spoilt())
    path.write_text(whole[: min(length, len(whole) - 1)])
    with pytest.raises(VitalError) as refusal:
        read_report(path)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


def test_report_comes_back_from_its_file_as_it_was(tmp_path):
    done = [trial(101, False, "jammed"), trial(100)]
    write_report(tmp_path / "cell.json", CELL, done, "evaluate")
    assert read_report(tmp_path / "cell.json") == json.loads(json.dumps(report_of(CELL, done, "evaluate")))
    assert finished_trials(tmp_path / "cell.json", CELL) == sorted(done, key=lambda t: t.seed)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_those_that_newcombe_tabled(successes, trials, low, high):
    """Newcombe 1998, Statistics in Medicine 17, table I, method 3."""
    assert Rate(successes, trials).interval == pytest.approx((low, high), abs=1e-4)
    done = [trial(100 + i, i < successes) for i in range(trials)]
    assert report_of(CELL, done, "")["wilson_95"] == pytest.approx((low, high), abs=1e-4)


def test_pair_is_told_with_the_better_methods_trials_first():
    """Of 30 trials 9 are done by ours alone, 1 by theirs alone: McNemar's p is 2 (1 + 10) / 2^10."""
    ours, theirs = [True] * 19 + [False] * 11, [True] * 10 + [False] * 9 + [True] + [False] * 10
    (pair,) = Results([cell(outcomes=ours), cell(method="visk", outcomes=theirs)]).pairs()
    assert (pair.comparison.only_a, pair.comparison.only_b) == (9, 1)
    assert pair.comparison.p_value == pytest.approx(22 / 1024)
    row = report.pair_table(Results([cell(outcomes=ours), cell(method="visk", outcomes=theirs)]))[2]
    assert "| ViTaL-BC against ViSk | 9 : 1 | +27 (" in row and row.endswith("| 0.021 |")


@pytest.mark.filterwarnings("error")
def test_report_command_writes_both_pages_or_says_why_not(tmp_path, caplog):
    with pytest.raises(SystemExit) as left:
        report.main([str(tmp_path)])
    assert left.value.code == 2 and "no result in" in caplog.text
    write_report(tmp_path / "cell.json", CELL, [trial(100)], "evaluate --trials 1")
    report.main([str(tmp_path)])
    assert "`evaluate --trials 1`" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_failures_are_tabled_by_kind_over_all_settings():
    results = Results([
        cell(setting=setting, outcomes=(True, False, False), kind=kind)
        for setting, kind in zip(SETTINGS, ("missed", "jammed", "jammed", "dropped"), strict=True)
    ])  # fmt: skip
    head, _, row, _ = report.failure_table(results)
    assert head == "|  | task | trials | jammed | missed | dropped |"
    assert row == "| ViTaL-BC | usb_insertion | 12 | 4 | 2 | 2 |"


def test_every_kind_of_failure_has_a_column_and_a_colour():
    assert set(KINDS) == set(FAILURES)


def test_pairs_are_tabled_task_by_task_and_setting_by_setting():
    cells = [
        cell(task=task, setting=setting, method=method)
        for task in ("card_swipe", "usb_insertion")
        for setting in ("scene", "both", "in_domain")
        for method in ("visk", "vital_bc")
    ]
    rows = [re.split(r" *\| *", line)[1:3] for line in report.pair_table(Results(cells))[2:-1]]
    settings = ["in domain", "scene", "both"]
    assert rows == [[task, s] for task in ("usb_insertion", "card_swipe") for s in settings]


def test_markdown_has_a_section_for_every_setting_that_was_measured_and_names_every_command():
    text = report.markdown(Results([cell(), cell(method="visk"), cell(setting="both")]))
    for setting in SETTINGS:
        assert (f"## {report.TITLES[setting]}\n" in text) == (setting in ("in_domain", "both"))
    assert "`evaluate vital_bc`" in text and "`evaluate visk`" in text


def test_page_escapes_what_a_method_is_called():
    page = report_page.page(Results([cell(method="<script>x</script>")]))
    assert "<script>x" not in page and "&lt;script&gt;" in page


def test_paper_knows_the_tasks_and_methods_that_are_compared_with_it():
    quoted = [paper_rate(t, s, m) for t in TASKS for s in SETTINGS for m in METHODS]
    rates = [rate for rate in quoted if rate is not None]
    assert len(rates) >= 20 and all(0 <= r.successes <= r.trials for r in rates)
    assert paper_rate("usb_insertion", "in_domain", "aardvark") is None


class Counting:
    """An environment of a few steps, which succeeds on even seeds; and a policy that remembers its own episode."""

    def __init__(self, steps):
        self.steps = steps

    def reset(self, seed):
        self.seed, self.at = seed, 0
        return {"image": np.zeros((1, 1, 3)), "tactile": np.full(15, float(seed))}, self.info("running")

    def info(self, outcome):
        return {"outcome": outcome, "variant": 0, "refused": "no" if self.at == 1 else "", "depth_m": 0.0,
                "projected_m": 0.01 * (self.at > 1), "lateral_m": 0.0, "travel_m": 0.0}  # fmt: skip

    def step(self, action):
        assert action[0] == self.at, "the memory of another episode was used"
        self.at += 1
        over = self.at == self.steps + self.seed % 3
        outcome = ("success" if self.seed % 2 == 0 else "missed") if over else "running"
        return {"image": np.zeros((1, 1, 3)), "tactile": np.zeros(15)}, 1.0, over, False, self.info(outcome)


class Remembers:
    calls = 0

    def begin(self):
        return [0]

    def act(self, observations, memories):
        self.calls += 1
        actions = [Action(np.array([float(m[0]), 0.0, 0.0]), np.zeros(3), 1.0) for m in memories]
        for memory in memories:
            memory[0] += 1
        return actions


@given(st.lists(st.integers(0, 1000), unique=True, max_size=25), st.integers(1, 6))
def test_any_environment_is_evaluated_and_each_trial_has_a_memory_of_its_own(seeds, batch):
    policy = Remembers()
    done = list(run_trials([Counting(3) for _ in range(batch)], policy, seeds))
    assert sorted(t.seed for t in done) == sorted(seeds)
    for t in done:
        assert t.success == (t.seed % 2 == 0) and t.failure == ("" if t.success else "missed")
        assert t.steps == 3 + t.seed % 3 == t.episode_return and t.actions_refused == 1
        assert t.actions_projected == t.steps - 1
    assert policy.calls <= sum(t.steps for t in done)


def test_environment_of_a_task_is_made_by_its_registered_name():
    assert environment_id("plug_in_socket") == "Vital/PlugInSocket-v0"
    env = make_env("key_in_lock", "spatial")
    assert env.task.name == "key_in_lock" and len(env.variants) == 3
    env.close()


def test_environment_of_an_unknown_setting_is_refused():
    with pytest.raises(VitalError, match="setting is 'underwater'"):
        make_env("usb_insertion", "underwater")
