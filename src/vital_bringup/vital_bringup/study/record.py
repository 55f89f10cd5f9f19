"""What a study's folder tells of its cells: what each was made from, by which source, and what came out.

A record is written as a cell begins and again as it ends. A cell whose record is of other inputs than it has, or whose
product is not what was recorded, is refused by its name: nothing is made from two studies.
"""

import glob
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from vital_bringup.study.cells import Cell, Stage, identity_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Count, Finite, Name, Sha256, Source, Text
from vital_data.dataset.normalisation import FILE_NAME as NORMALISER

MOST_BYTES = 1_000_000
FORMAT = "vital_study_cell/1"


class State(StrEnum):
    """How far a cell is."""

    WAITING = "not run"
    BEGUN = "begun"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class Record:
    """A cell's file."""

    format: Name
    cell: Name
    state: State
    inputs: dict[str, Text]
    """`Cell.inputs`: its command and the hashes of what it reads."""
    commits: tuple[Name, ...]
    """Of the source that made it, one an attempt where they differ, `-dirty` where it was changed since."""
    command: Text
    started: Name
    """UTC."""
    log: Name
    """Its file in the study's folder."""
    seconds: Finite = 0.0
    """Of work, over all attempts."""
    attempts: Count = 1
    product_sha256: Sha256 | None = None
    log_sha256: Sha256 | None = None
    reason: Text = ""
    """Why it failed."""


@dataclass(frozen=True)
class Look:
    """That the reporting seeds were looked at."""

    cell: Name
    inputs: Sha256
    """Their hash: another is another policy."""
    commit: Name
    date: Name


@dataclass(frozen=True)
class Looks:
    """All of them, in order."""

    looks: tuple[Look, ...] = ()


@dataclass
class Records:
    """The records of a study in ``folder``, and the hashes of what its cells made."""

    folder: Path
    _hashes: dict[str, str] = field(default_factory=dict)

    def path(self, cell: Cell) -> Path:
        """Of a cell's record."""
        return self.folder / "cells" / f"{cell.file_name}.json"

    def log(self, cell: Cell) -> Path:
        """Of what a cell said."""
        return self.folder / "logs" / f"{cell.file_name}.log"

    def read(self, cell: Cell) -> Record | None:
        """A cell's record, None before it has begun. Raises VitalError(BAD_PARAMETER) for a damaged one."""
        path = self.path(cell)
        if not path.is_file():
            return None
        source = Source(f"record {path}", ErrorCode.BAD_PARAMETER, f"make it again with --redo {cell.name}")
        try:
            return schema.from_json(safe_file.read_bytes(path, MOST_BYTES), Record, source)
        except OSError as error:
            raise source.refuse(f"cannot be read ({error.strerror})") from error

    def write(self, cell: Cell, record: Record) -> None:
        """Whole or not at all."""
        safe_file.write_json(self.path(cell), asdict(record))

    def inputs(self, cell: Cell) -> dict[str, str]:
        """What decides a cell whose `after` are done. Raises VitalError(BAD_DATASET) where a recording is missing."""
        for place in cell.reads:
            if place not in self._hashes:
                self._hashes[place] = hash_of_files(_files_below(place))
        return cell.inputs(self._hashes)

    def finish(self, cell: Cell, record: Record) -> Record:
        """Record what came out. Raises VitalError(INTERNAL) when nothing did."""
        files = self._products(cell)
        if not files:
            raise VitalError(ErrorCode.INTERNAL, f"{cell.name} ended well and left no {cell.product}: see {record.log}")
        self._hashes[cell.name] = hash_of_files(files)
        log_sha256 = hash_of_files([self.log(cell)])
        done = replace(record, state=State.DONE, product_sha256=self._hashes[cell.name], log_sha256=log_sha256)
        self.write(cell, done)
        return done

    def state(self, cell: Cell) -> State:
        """How far a cell is whose `after` are done; its product's hash is known where it is done too.

        Raises VitalError(BAD_PARAMETER) for a cell that was begun or made from other inputs, and for a product that is
        not what was recorded.
        """
        record = self.read(cell)
        if record is None:
            return State.WAITING
        if changed := changes(record.inputs, self.inputs(cell)):
            raise _refused(cell, f"was begun with other inputs: {'; '.join(changed)}")
        if record.state is not State.DONE:
            return record.state
        files = self._products(cell)
        found = hash_of_files(files) if files else "missing"
        if found != record.product_sha256:
            told = (record.product_sha256 or "")[:12]
            raise _refused(cell, f"has a product that is not its own: {cell.product} is {found[:12]}, expected {told}")
        self._hashes[cell.name] = found
        return State.DONE

    def knows(self, cell: Cell) -> bool:
        """Whether the cell is done and was checked."""
        return cell.name in self._hashes

    def _products(self, cell: Cell) -> list[Path]:
        return sorted(map(Path, glob.glob(str(Path(glob.escape(str(self.folder))) / cell.product))))

    def set_aside(self, cell: Cell) -> Path | None:
        """Move away what a cell has made and told, so that it is made again; to where, None where there is nothing."""
        product = self.folder / cell.product
        # An evaluation shares its folder with others; what else has one of its own.
        own = product.parent if cell.stage not in (Stage.CHOOSING, Stage.REPORTING) else product
        there = [path for path in (own, self.path(cell), self.log(cell)) if path.exists()]
        if not there:
            return None
        number = 1
        while (aside := self.folder / "set_aside" / f"{cell.file_name}.{number}").exists():
            number += 1
        aside.mkdir(parents=True)
        for path in there:
            path.rename(aside / path.name)
        return aside

    def looks(self) -> tuple[Look, ...]:
        """How often the reporting seeds were looked at. Raises VitalError(BAD_PARAMETER)."""
        path = self.folder / "looks.json"
        if not path.is_file():
            return ()
        source = Source(f"record {path}", ErrorCode.BAD_PARAMETER, "report on seeds that nobody has looked at")
        return schema.from_json(safe_file.read_bytes(path, MOST_BYTES), Looks, source).looks

    def look(self, cell: Cell, inputs: Mapping[str, str], commit: str, date: str, *, again: bool) -> None:
        """Note that a reporting cell is looked at. Raises VitalError(BAD_PARAMETER) for a second look unless
        ``again``."""
        identity, looks = identity_of(inputs), self.looks()
        before = [look for look in looks if look.cell == cell.name]
        if any(look.inputs == identity for look in before):
            return
        if before and not again:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"{cell.name}: its reporting seeds were looked at on {before[0].date} with another policy; report on "
                "seeds of their own in another study, or say --look-again, which the page will tell",
            )
        noted = Looks((*looks, Look(cell.name, identity, commit, date)))
        safe_file.write_json(self.folder / "looks.json", asdict(noted))


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs, in words."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name, "nothing"), now.get(name, "nothing")
        if old != new and name == "command":
            found.append(_changed_words(old, new))
        elif old != new:
            found.append(f"{name} was {old[:12]}, is {new[:12]}")
    return found


def _changed_words(old: str, new: str) -> str:
    """Which options two commands differ in."""
    was, now = _by_option(old), _by_option(new)
    names = [name for name in dict.fromkeys((*was, *now)) if was.get(name) != now.get(name)]
    return ", ".join(f"{now.get(name, f'no {name}')} instead of {was.get(name, f'no {name}')}" for name in names)


def _by_option(command: str) -> dict[str, str]:
    """A command's words by the option that they belong to."""
    found: dict[str, str] = {}
    name = ""
    for word in command.split():
        name = word if word.startswith("--") else name
        found[name] = f"{found[name]} {word}" if name in found else word
    return found


def _refused(cell: Cell, what: str) -> VitalError:
    remedy = f"give the study as it was, another --out, or --redo {cell.name}"
    return VitalError(ErrorCode.BAD_PARAMETER, f"cell {cell.name} {what}; {remedy}")


def hash_of_files(files: Iterable[Path]) -> str:
    """One hash of the names and contents of some files."""
    told = []
    for path in files:
        with safe_file.open_regular(path) as file:
            told.append((path.name, hashlib.file_digest(file, "sha256").hexdigest()))
    return safe_file.sha256(json.dumps(told).encode())


def _files_below(place: str) -> list[Path]:
    root = Path(place)
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    # What training leaves beside recordings is made from them.
    files = [path for path in files if path.name != NORMALISER]
    if not files:
        raise VitalError(ErrorCode.BAD_DATASET, f"no recording in {place}: record some, or name another folder")
    return files
