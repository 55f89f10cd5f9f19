"""ROS 2 messages in bytes: the definitions that say what is in them, and many of one type at once as columns.

An MCAP file holds a definition of each type (`ros2msg`), made here from the installed ones. Messages of a topic mostly
have the same lengths of strings and sequences; those are read together, field by field, as columns of a byte table,
without a Python object per message. Messages of other lengths form tables of their own.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError

MOST_DEPTH = 20
SEPARATOR = "=" * 80
PRIMITIVES = {
    "bool": "?", "byte": "u1", "char": "u1", "int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2",
    "int32": "<i4", "uint32": "<u4", "int64": "<i8", "uint64": "<u8", "float32": "<f4", "float64": "<f8",
}  # fmt: skip
STRINGS = ("string", "wstring")
ENCAPSULATION_BYTES = 4
LITTLE_ENDIAN = 1
MOST_FIELDS = 100_000
_TYPE = re.compile(r"^(?P<base>[A-Za-z][\w/]*)(<=\d+)?(?P<array>\[(?P<size>(<=)?\d*)\])?$")
_SINGLE = None
SEQUENCE = 0


@dataclass(frozen=True)
class Field:
    """One field: its type's name, and None for a single value, SEQUENCE, or the length of a fixed array."""

    name: str
    base: str
    size: int | None


Definition = dict[str, tuple[Field, ...]]  # by type name, package/Type


def type_name(message_class: type) -> str:
    """package/msg/Type of a message class."""
    return f"{message_class.__module__.split('.')[0]}/msg/{message_class.__name__}"


def _short(name: str) -> str:
    """package/msg/Type -> package/Type."""
    return name.replace("/msg/", "/")


def _field(line: str, package: str) -> Field | None:
    """The field of one line of a definition, None for a comment, a blank or a constant."""
    words = line.split("#", 1)[0].split()
    if len(words) < 2 or "=" in words[1] or (len(words) > 2 and words[2].startswith("=")):
        return None
    match = _TYPE.match(words[0])
    if match is None:
        raise VitalError(ErrorCode.BAD_RECORDING, f"message definition has '{line.strip()}', expected `type name`")
    base, size = match["base"], match["size"]
    if base not in PRIMITIVES and base not in STRINGS:
        base = "std_msgs/Header" if base == "Header" else base if "/" in base else f"{package}/{base}"
    if match["array"] is None:
        return Field(words[1], _short(base), _SINGLE)
    return Field(words[1], _short(base), int(size) if size.isdigit() else SEQUENCE)


def parse_definition(name: str, text: str) -> Definition:
    """Fields of a type and of every type in it, from the concatenated text. Raises VitalError(BAD_RECORDING)."""
    sections: dict[str, list[str]] = {_short(name): []}
    current = sections[_short(name)]
    for line in text.splitlines():
        if line.startswith("MSG: "):
            current = sections.setdefault(_short(line[5:].strip()), [])
        elif not line.startswith("==="):
            current.append(line)
    definition = {
        kind: tuple(f for line in lines if (f := _field(line, kind.split("/")[0])) is not None)
        for kind, lines in sections.items()
    }
    known = set(definition) | set(PRIMITIVES) | set(STRINGS)
    if unknown := sorted({f.base for fields in definition.values() for f in fields} - known):
        raise VitalError(ErrorCode.BAD_RECORDING, f"definition of {name} lacks {', '.join(unknown)}")
    _refuse_rings(definition, _short(name))
    return definition


def _refuse_rings(definition: Definition, name: str) -> None:
    """A type must not hold itself, nor others to a depth that no message has."""
    level = {name}
    for _ in range(MOST_DEPTH):
        level = {field.base for kind in level for field in definition.get(kind, ())} & definition.keys()
        if not level:
            return
    raise VitalError(ErrorCode.BAD_RECORDING, f"definition of {name} is nested deeper than {MOST_DEPTH} types")


def _installed_text(name: str) -> str:
    package, kind = name.split("/")
    try:
        return (Path(get_package_share_directory(package)) / "msg" / f"{kind}.msg").read_text()
    except (PackageNotFoundError, OSError) as error:
        raise VitalError(ErrorCode.INTERNAL, f"no message definition of {name} is installed ({error})") from error


@cache
def installed_definition(name: str) -> str:
    """Concatenated definition of package/msg/Type and of all types in it, from the installed packages."""
    texts = {_short(name): _installed_text(_short(name))}
    waiting = [_short(name)]
    while waiting:
        kind = waiting.pop(0)
        for line in texts[kind].splitlines():
            field = _field(line, kind.split("/")[0])
            if field and field.base not in PRIMITIVES and field.base not in STRINGS and field.base not in texts:
                texts[field.base] = _installed_text(field.base)
                waiting.append(field.base)
    first, *others = texts.items()
    return "\n".join([first[1], *(f"{SEPARATOR}\nMSG: {kind}\n{text}" for kind, text in others)])


# Arrays of n rows by dotted name; what is text is the same for all rows: a str, or a list of them.
Columns = dict[str, Any]


class Rows(NamedTuple):
    """Messages of one type with the same lengths."""

    places: NDArray[np.int64]
    """(n,) their places in the topic."""
    columns: Columns
    """(n, ...) arrays by dotted name; a string is one str for all of them, as is a sequence of strings one list."""


class _Uneven(Exception):
    """Messages of one table turned out to have different lengths inside."""


class _Cursor:
    """Walks a table (n, L) of bytes, all rows in step."""

    def __init__(self, table: NDArray[np.uint8]) -> None:
        self._table, self._at, self._fields = table, 0, 0

    def count_field(self) -> None:
        """A definition may nest or repeat what takes no bytes; nobody's message has so many fields."""
        self._fields += 1
        if self._fields > MOST_FIELDS:
            raise VitalError(ErrorCode.BAD_RECORDING, f"message has more than {MOST_FIELDS} fields")

    def take(self, dtype: str, count: int) -> NDArray:
        """(n, count) values, aligned as CDR wants them."""
        if count == 0:  # an empty sequence is not aligned
            return np.empty((len(self._table), 0), dtype)
        size = np.dtype(dtype).itemsize
        start = -(-self._at // size) * size
        self._at = start + size * count
        if self._at > self._table.shape[1]:
            raise VitalError(
                ErrorCode.BAD_RECORDING, f"message of {self._table.shape[1]} bytes ends before byte {self._at}"
            )
        part = self._table[:, start : self._at]
        return part if size == 1 and dtype != "?" else np.ascontiguousarray(part).view(dtype)

    def counted(self, count: int) -> Iterator[int]:
        """0 to ``count``, each as a field."""
        for number in range(count):
            self.count_field()
            yield number

    def length(self) -> int:
        """Length of a string or sequence, the same in all rows."""
        lengths = self.take("<u4", 1)
        if (lengths != lengths[0]).any():
            raise _Uneven
        return int(lengths[0, 0])

    def text(self) -> str:
        """A string, the same in all rows."""
        characters = self.take("u1", self.length())
        if (characters != characters[0]).any():
            raise _Uneven
        return characters[0].tobytes().rstrip(b"\0").decode(errors="replace")


def _read_field(cursor: _Cursor, field: Field, prefix: str, definition: Definition, columns: Columns) -> None:
    cursor.count_field()
    name = prefix + field.name
    count = 1 if field.size is None else cursor.length() if field.size == SEQUENCE else field.size
    if field.base in PRIMITIVES:
        values = cursor.take(PRIMITIVES[field.base], count)
        columns[name] = values[:, 0] if field.size is None else values
    elif field.base in STRINGS:
        texts = [cursor.text() for _ in cursor.counted(count)]
        columns[name] = texts[0] if field.size is None else texts
    elif field.size is None:
        _read_struct(cursor, field.base, f"{name}.", definition, columns)
    else:
        for number in cursor.counted(count):
            _read_struct(cursor, field.base, f"{name}.{number}.", definition, columns)


def _read_struct(cursor: _Cursor, kind: str, prefix: str, definition: Definition, columns: Columns) -> None:
    for field in definition[kind]:
        _read_field(cursor, field, prefix, definition, columns)


def _read_table(kind: str, definition: Definition, messages: Sequence[bytes]) -> Columns:
    table = np.frombuffer(b"".join(messages), np.uint8).reshape(len(messages), -1)
    if table.shape[1] < ENCAPSULATION_BYTES or (table[:, 1] != LITTLE_ENDIAN).any():
        raise VitalError(ErrorCode.BAD_RECORDING, f"{kind} is not little-endian CDR, expected what ROS 2 writes")
    columns: Columns = {}
    _read_struct(_Cursor(table[:, ENCAPSULATION_BYTES:]), kind, "", definition, columns)
    return columns


def read_rows(name: str, definition: Definition, messages: Sequence[bytes]) -> list[Rows]:
    """All messages of a topic, in groups of equal lengths. Raises VitalError(BAD_RECORDING) for broken ones."""
    kind = name.replace("/msg/", "/")
    groups: list[Rows] = []
    sizes = np.array([len(message) for message in messages])
    for size in np.unique(sizes):
        index = np.flatnonzero(sizes == size)
        try:
            groups.append(Rows(index, _read_table(kind, definition, [messages[int(i)] for i in index])))
        except _Uneven:
            groups += [
                Rows(index[k : k + 1], _read_table(kind, definition, [messages[int(i)]])) for k, i in enumerate(index)
            ]
    return groups
