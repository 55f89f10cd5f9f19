"""Studies without training: what a description refuses, how cells hang together, and what a record holds on to."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from vital_bringup.study.cells import Cell, Stage, cells_of, identity_of
from vital_bringup.study.description import Study, read_study
from vital_bringup.study.page import page
from vital_bringup.study.record import FORMAT, Record, Records, State
from vital_bringup.study.study_main import resting_on
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import schema
from vital_core.files.schema import Source
from vital_sim.evaluation import evaluation
from vital_sim.evaluation.evaluation import Trial, write_report

STUDIES = Path(__file__).parents[1] / "studies"
HERE = Source("study here", ErrorCode.BAD_PARAMETER, "mend it")
SMALL = {
    "format": "vital_study/1",
    "title": "Small",
    "tasks": ["usb_insertion", "pick_block"],
    "methods": ["baku", "vital_bc", "vital", "rlpd"],
    "demonstrations": {"episodes": 4},
    "choosing": {"first_seed": 40000, "trials": 5},
    "reporting": {"first_seed": 50000, "trials": 5, "settings": ["in_domain", "spatial", "tilt_10"]},
}


def study_of(**changes) -> Study:
    return schema.checked({**SMALL, **changes}, Study, HERE)


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_study_is_whole_and_reports_on_seeds_that_no_other_reports_on(path):
    study, cells = read_study(str(path)), cells_of(read_study(str(path)))
    assert {cell.stage for cell in cells} == set(Stage)
    others = [read_study(str(other)) for other in STUDIES.glob("*.yaml") if other != path]
    assert not any(set(study.reporting.seeds) & set(other.reporting.seeds) for other in others)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": ["vital", "magic"]}, "methods has magic, expected some of baku"),
        ({"tasks": ["usb_insertion", "usb_insertion"]}, "expected at least one, each once"),
        ({"tasks": []}, "expected at least one"),
        ({"training_seeds_of": {"card_swipe": [0]}}, "training_seeds_of has card_swipe"),
        ({"choosing": {"first_seed": 50004, "trials": 1}}, "seed 50004 is to choose by and to report"),
        ({"choosing": {"first_seed": 3, "trials": 1}}, "seed 3 of choosing may be a demonstration's"),
        ({"choosing": {"first_seed": 9000, "trials": 9}}, "seed 9000 of choosing may be a demonstration's"),
        ({"choosing": {"first_seed": 99_999, "trials": 2}}, "seed 100000 of choosing may be practised on"),
        ({"choosing": {"first_seed": 40000, "trials": 5, "settings": ["moon"]}}, "choosing.settings has moon"),
        ({"choosing": {"first_seed": 40000, "trials": 0}}, "choosing.trials is 0"),
        ({"following": {"seed": 49_900}}, "seed 50000 of reporting may be a demonstration's"),
        ({"following": {"seed": 39_800, "rounds": 2, "episodes": 101}}, "seed 40000 of choosing may be"),
        ({"following": {"seed": 8000, "rounds": 0}}, "following.rounds is 0"),
        ({"following": {"seed": 8000, "push": 0.5}}, "push is 0.5, expected 0 to 0.2"),
        ({"demonstrations": {"strays": 30}}, "strays is 30, expected 0 to 20"),
        ({"residual": {"prior": {"seed": 40_004}}}, "seed 40004 of choosing may be a demonstration's"),
        ({"demonstrations": {"stray_turn_deg": 60}}, "stray-turn-deg is 60, expected 0 to 25"),
        ({"cloning": {"still": {"card_swipe": ["ry"]}}}, "cloning.still has card_swipe"),
        ({"cloning": {"still": {"pick_block": ["yaw"]}}}, "cloning.still.+yaw"),
        ({"cloning": {"preset": "gpu"}}, "cloning.preset is 'gpu', expected one of cpu, paper"),
        ({"cloning": {"iterations": 10, "epochs": 3}}, "'cloning.epochs' is unknown"),
    ],
)
def test_a_study_that_cannot_be_is_refused_by_what_is_wrong(changes, said):
    with pytest.raises(VitalError, match=said) as refused:
        study_of(**changes)
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_a_study_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(VitalError, match=r"study nowhere: cannot be read .*give a file or one of"):
        read_study("nowhere")


def test_all_methods_have_one_budget_and_each_cell_comes_after_what_it_reads():
    study = study_of(
        training_seeds=[0, 1],
        cloning={"iterations": 30, "shift_px": {"usb_insertion": 4}, "still": {"usb_insertion": ["rx", "ry"]}},
        demonstrations={"episodes": 4, "strays": 5, "stray_turn_deg": 16.0},
        residual={"steps": 50},
        training_seeds_of={"pick_block": [0]},
    )
    cells = cells_of(study)
    done: set[str] = set()
    for cell in cells:
        assert set(cell.after) <= done, cell.name
        done.add(cell.name)
    assert len(done) == len(cells)
    cloned = [cell for cell in cells if cell.stage is Stage.CLONED]
    assert {cell.method for cell in cloned} == {"baku", "vital_bc"}
    assert {(cell.task, cell.training_seed) for cell in cloned} == {
        ("usb_insertion", 0), ("usb_insertion", 1), ("pick_block", 0)
    }  # fmt: skip
    for cell in cloned:
        told = " ".join(cell.command(Path("/out")))
        of_the_stick = cell.task == "usb_insertion"
        assert "--iterations 30" in told and ("--shift-px 4" in told) == of_the_stick
        assert ("--still rx ry" in told) == of_the_stick
    for cell in cells:
        if cell.stage is Stage.DEMONSTRATIONS:
            assert "--strays 5 --stray-turn-deg 16" in " ".join(cell.command(Path("/out")))
    learned = [" ".join(cell.command(Path("/out"))) for cell in cells if cell.stage is Stage.LEARNED]
    assert len(learned) == 6 and all("--steps 50" in told for told in learned)
    assert sum(told.endswith("--rlpd --threads 1") for told in learned) == 3


def test_a_policy_is_followed_and_cloned_again_from_all_episodes_with_its_weights_to_begin_with():
    following = {"seed": 8000, "rounds": 2, "episodes": 6, "push": 0.01, "iterations": 20}
    study = study_of(
        tasks=["usb_insertion"], methods=["baku", "vital"], following=following, residual={"prior": {"seed": 500}},
        cloning={"iterations": 30, "answer_at": "tip", "blur_px": 2.0},
    )  # fmt: skip
    cells = cells_of(study)
    place = {cell.name: number for number, cell in enumerate(cells)}
    assert all(place[name] < place[cell.name] for cell in cells for name in cell.after)
    commands = {cell.name: " ".join(cell.command(Path("/out"))) for cell in cells}
    for method in ("baku", "vital_bc"):
        name = f"usb_insertion/{method}/seed_0/round"
        before = f"/out/cloned/seed_0/round_1/{method}/usb_insertion/usb_insertion.safetensors"
        assert {"--seed 8006", "--episodes 6", f"--after {before}", "--push 0.01"} <= said_of(
            commands[f"demonstrations/{name}_2"]
        )
        folders = [f"/out/demonstrations/seed_0/round_{number}/{method}/usb_insertion" for number in (1, 2)]
        told = commands[f"cloned/{name}_2"]
        assert f"--demos /out/demonstrations/usb_insertion {' '.join(folders)} --out" in told
        assert f"--init {before} --keep-normalisation" in told and "--iterations 20" in told
        assert "--answer-at" not in told, "what it begins with says it"
    first = commands["cloned/usb_insertion/baku/seed_0"]
    assert "--init" not in first and "--answer-at tip" in first and "--blur-px 2" in first
    learned = commands["learned/usb_insertion/vital/seed_0"]
    assert "--checkpoint /out/cloned/seed_0/round_2/vital_bc/" in learned
    assert "--demos /out/demonstrations/prior/usb_insertion --out" in learned
    measured = [cell for cell in cells if cell.stage is Stage.CHOOSING and cell.method == "baku"]
    assert [cell.after for cell in measured] == [("cloned/usb_insertion/baku/seed_0/round_2",)]


def said_of(command: str) -> set[str]:
    """Its options, each with its value."""
    return {f"--{option.strip()}" for option in command.split("--")}


def test_what_lies_on_the_table_is_not_tilted_and_what_is_located_has_its_file():
    cells = [cell for cell in cells_of(study_of()) if cell.stage is Stage.REPORTING]
    assert not [cell for cell in cells if (cell.task, cell.setting) == ("pick_block", "tilt_10")]
    (spatial,) = [c for c in cells if (c.task, c.method, c.setting) == ("usb_insertion", "vital", "spatial")]
    assert spatial.product == Path("reporting/seed_0/usb_insertion_spatial_located_vital.json")
    assert "--seed 50000" in " ".join(spatial.command(Path("/out")))


def test_a_cell_is_the_same_in_any_folder_and_another_with_another_setting_or_input():
    study = study_of()
    (cloned,) = [cell for cell in cells_of(study) if cell.name == "cloned/usb_insertion/baku/seed_0"]
    hashes = {"demonstrations/usb_insertion": "a"}
    longer = study_of(cloning={"iterations": 7})
    (other,) = [cell for cell in cells_of(longer) if cell.name == cloned.name]
    assert cloned.command(Path("/a")) != cloned.command(Path("/b"))
    assert identity_of(cloned.inputs(hashes)) == identity_of(dataclasses.replace(cloned, how=()).inputs(hashes))
    assert identity_of(cloned.inputs(hashes)) != identity_of(other.inputs(hashes))
    assert identity_of(cloned.inputs(hashes)) != identity_of(cloned.inputs({"demonstrations/usb_insertion": "b"}))


def test_what_rests_on_a_cell_is_made_again_with_it():
    cells = cells_of(study_of(tasks=["usb_insertion"]))
    names = [cell.name for cell in resting_on(["cloned/usb_insertion/vital_bc/seed_0"], cells)]
    assert "learned/usb_insertion/vital/seed_0" in names and "learned/usb_insertion/rlpd/seed_0" in names
    assert "reporting/usb_insertion/vital/seed_0/spatial" in names
    assert not [name for name in names if "baku" in name or name.startswith("demonstrations")]
    with pytest.raises(VitalError, match="no cell cloned/moon: --list tells all of them"):
        resting_on(["cloned/moon"], cells)


@pytest.fixture
def made(tmp_path):
    """A recorded session's cell that is done: its records, and itself."""
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "episode_0.mcap").write_bytes(b"recorded")
    records, cell = Records(tmp_path / "study"), cell_of(str(tmp_path / "recordings"))
    product = records.folder / cell.product
    product.parent.mkdir(parents=True)
    product.write_bytes(b"weights")
    records.log(cell).parent.mkdir()
    records.log(cell).write_text("trained\n")
    finish(records, cell)
    return records, cell


def cell_of(recordings: str, *, iterations: int = 3) -> Cell:
    study = study_of(
        tasks=["usb_insertion"],
        methods=["baku"],
        demonstrations={"recordings": {"usb_insertion": [recordings]}},
        cloning={"iterations": iterations},
    )
    return next(cell for cell in cells_of(study) if cell.stage is Stage.CLONED)


def finish(records: Records, cell: Cell) -> None:
    record = Record(FORMAT, cell.name, State.BEGUN, records.inputs(cell), ("abc-dirty",), "c", "2026-01-01", "logs/l")
    records.write(cell, record)
    records.finish(cell, record)


def again(records: Records) -> Records:
    """The same folder to another process."""
    return Records(records.folder)


def test_a_cell_that_is_done_stays_so_and_its_normalisation_is_no_input(made, tmp_path):
    records, cell = made
    (tmp_path / "recordings" / "normalisation.json").write_text("{}")
    assert again(records).state(cell) is State.DONE


def test_a_cell_with_other_inputs_is_refused_by_name_and_what_differs(made, tmp_path):
    records, cell = made
    longer = cell_of(str(tmp_path / "recordings"), iterations=9)
    with pytest.raises(
        VitalError, match=f"cell {cell.name} was begun.*: --iterations 9 instead of --iterations 3;.*--redo"
    ):
        again(records).state(longer)
    (tmp_path / "recordings" / "episode_1.mcap").write_bytes(b"another")
    with pytest.raises(VitalError, match=f"cell {cell.name} was begun with other inputs: {tmp_path}/recordings was"):
        again(records).state(cell)


def test_a_product_that_was_changed_or_is_gone_is_refused_by_name(made):
    records, cell = made
    product = records.folder / cell.product
    product.write_bytes(b"other weights")
    with pytest.raises(VitalError, match=f"cell {cell.name} has a product that is not its own"):
        again(records).state(cell)
    product.unlink()
    with pytest.raises(VitalError, match="is missing, expected"):
        again(records).state(cell)


def test_recordings_that_are_not_there_have_a_code(tmp_path):
    with pytest.raises(VitalError, match="no recording in") as refused:
        Records(tmp_path).inputs(cell_of(str(tmp_path / "nothing")))
    assert refused.value.code is ErrorCode.BAD_DATASET


def test_a_damaged_record_is_refused_with_what_to_do(made):
    records, cell = made
    records.path(cell).write_text("{")
    with pytest.raises(VitalError, match=f"cannot be read .*--redo {cell.name}"):
        again(records).state(cell)


def test_a_cell_that_is_set_aside_is_made_again_and_nothing_is_lost(made):
    records, cell = made
    for number in (1, 2):
        aside = records.set_aside(cell)
        assert aside == records.folder / "set_aside" / f"{cell.file_name}.{number}"
        assert (aside / "usb_insertion" / "usb_insertion.safetensors").read_bytes() == b"weights"
        assert again(records).state(cell) is State.WAITING
        (records.folder / cell.product).parent.mkdir()
        (records.folder / cell.product).write_bytes(b"weights")
        records.log(cell).write_text("trained\n")
        finish(records, cell)
    assert len(list((records.folder / "set_aside").iterdir())) == 2


def test_reporting_seeds_are_looked_at_once_unless_it_is_said_and_then_the_page_tells(tmp_path):
    study = study_of(tasks=["usb_insertion"], methods=["baku"])
    cell = next(cell for cell in cells_of(study) if cell.stage is Stage.REPORTING)
    records = Records(tmp_path)

    def look(policy: str, *, more: bool = False) -> None:
        records.look(cell, {"policy": policy}, "abc", "2026-01-01", again=more)

    assert "nobody has looked at them yet" in page(study, "small", cells_of(study), records, {})
    look("a")
    look("a")  # a cell that was killed goes on
    assert "each looked at once" in page(study, "small", cells_of(study), records, {})
    with pytest.raises(VitalError, match=r"looked at on 2026-01-01 with another policy.*--look-again") as refused:
        look("b")
    assert refused.value.code is ErrorCode.BAD_PARAMETER
    look("b", more=True)
    assert "**looked at again 1 times**" in page(study, "small", cells_of(study), records, {})


def write_result(path: Path, won: int) -> None:
    """Five trials, so many of them successes."""
    rest = (9, 0, 0.0, 0.0, 0.0, 0.0, 12.0)
    trials = [Trial(50_000 + k, 0, k < won, "" if k < won else "missed", *rest) for k in range(5)]
    about = {"sha256": "a" * 64, "method": "baku"}
    write_report(path, evaluation.Cell("usb_insertion", "in_domain", 50_000, 5, about), trials, "evaluate")


def test_several_trainings_are_pooled_with_an_interval_for_another_and_each_is_told(tmp_path):
    study = study_of(tasks=["usb_insertion"], methods=["baku"], training_seeds=[0, 1, 2])
    records = Records(tmp_path)
    cells = [c for c in cells_of(study) if (c.stage, c.setting) == (Stage.REPORTING, "in_domain")]
    for cell, won in zip(cells, (5, 3, 4), strict=True):
        write_result(tmp_path / cell.product, won)
        records._hashes[cell.name] = "checked"
    told = page(study, "small", cells_of(study), records, {})
    assert "12/15 (" in told and "each 5, 3, 4; paper 4/10" in told


def test_a_page_says_what_was_not_run_what_failed_and_that_the_tree_was_changed(made):
    records, cell = made
    study = study_of(tasks=["usb_insertion"], methods=["baku"])
    cells = tuple(one if one.stage is not Stage.CLONED else cell for one in cells_of(study))
    told = page(study, "small", cells, records, {"demonstrations/usb_insertion": "exit code 2: no room"})
    assert "**1 cells are of a changed tree**" in told
    assert "| BAKU | not run; paper 4/10 |" in told
    assert "| demonstrations/usb_insertion | exit code 2: no room |" in told
    assert f"| {cell.name} | done | `abc-dirty` |" in told


def test_the_description_a_reader_may_copy_is_plain_yaml(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    assert read_study(str(path)) == study_of()
