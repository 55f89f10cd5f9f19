"""The report: ours beside the paper's, pairs on common seeds, one page that needs nothing else."""

import json
import re
from xml.etree import ElementTree

import pytest

from vital_core.errors import VitalError
from vital_sim.evaluation import report
from vital_sim.evaluation.evaluation import Cell, Trial, write_report
from vital_sim.evaluation.results import Rate, Results, paper_rate
from vital_sim.world.variation import SETTINGS


def cell(folder, task, setting, method, outcomes, seed=20_000, variants=1):
    rest = (9, 0, 0.0, 0.0, 0.0, 0.0, 12.0)
    trials = [Trial(seed + i, i % variants, won, "" if won else "missed", *rest) for i, won in enumerate(outcomes)]
    about = {"sha256": f"{method}{'0' * 60}", "method": method, "steps": 3000}
    path = folder / f"{task}_{setting}_{method}.json"
    write_report(path, Cell(task, setting, seed, len(trials), about), trials, "run")


@pytest.fixture
def folder(tmp_path):
    for setting in SETTINGS:
        cell(tmp_path, "usb_insertion", setting, "vital_bc", [True] * 7 + [False] * 3)
    cell(tmp_path, "usb_insertion", "in_domain", "visk", [True] * 2 + [False] * 8)
    cell(tmp_path, "usb_insertion", "scene", "visk", [True] * 10, seed=999)
    return tmp_path


def test_tables_put_the_papers_figures_beside_ours(folder):
    text = report.markdown(Results.read(folder))
    assert "| ViTaL-BC | 7/10 (40 to 89 %); paper 4/10 |" in text
    assert "| ViSk | not measured |" in text
    assert re.search(r"\| ViTaL-BC \| usb_insertion \| 40 \| 12 \|", text)


def test_each_place_and_look_is_told_by_its_name(tmp_path):
    cell(tmp_path, "usb_insertion", "both", "vital_bc", [True, False, False] * 3, variants=3)
    cell(tmp_path, "usb_insertion", "looks", "vital_bc", [True] * 24 + [False] * 24, variants=24)
    text = report.markdown(Results.read(tmp_path))
    assert "| both | place 1, look 9101: 3/3 | place 2, look 9202: 0/3 | place 3, look 9303: 0/3 |" in text
    assert "look 70001: 1/2, look 70002: 1/2" in text


def test_policies_in_the_same_trials_are_pooled_for_another_start_and_another_policy(folder):
    pooled = Results.read(folder).pooled("usb_insertion", "in_domain", ["vital_bc", "visk"])
    assert (pooled.successes, pooled.trials) == (9, 20)
    alone = Rate(9, 20).interval
    assert pooled.interval[0] < alone[0] and pooled.interval[1] > alone[1]


def test_only_common_seeds_are_compared(folder):
    (pair,) = Results.read(folder).pairs()
    assert (pair.setting, pair.a, pair.b) == ("in_domain", "vital_bc", "visk")
    assert (pair.comparison.only_a, pair.comparison.only_b) == (5, 0)
    assert pair.comparison.p_value == pytest.approx(2 / 2**5)


def test_page_is_whole_and_asks_nobody(folder):
    report.main([str(folder)])
    text = (folder / "report.html").read_text()
    for svg in re.findall(r"<svg.*?</svg>", text, re.S):
        ElementTree.fromstring(svg)
    assert text.count("<svg") == 2 and "ViTaL-BC" in text
    assert not re.search(r"""(src|href)=["']?https?:""", text.replace("http://www.w3.org", ""))
    assert (folder / "report.md").read_text().startswith("# Results")


def test_paper_is_quoted_as_the_facts_have_it():
    rate = paper_rate("usb_insertion", "spatial", "vital_bc")
    assert (rate.successes, rate.trials) == (10, 30)
    assert paper_rate("pick_block", "scene", "vital_bc") is None


def test_empty_folder_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(VitalError, match="make some with"):
        Results.read(tmp_path)
    (tmp_path / "x.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(SystemExit) as left:
        report.main([str(tmp_path)])
    assert left.value.code == 2
