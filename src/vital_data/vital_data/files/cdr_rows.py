"""Many serialised messages of one type at once: CDR bytes to columns, without a Python object per message.

Messages of a topic mostly have the same lengths of strings and sequences; those are read together, field by field,
as columns of a byte table. Messages of other lengths form tables of their own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_data.files.ros_schema import PRIMITIVES, SEQUENCE, STRINGS, Definition, Field

ENCAPSULATION_BYTES = 4
LITTLE_ENDIAN = 1
MOST_FIELDS = 100_000

# Arrays of n rows by dotted name; what is text is the same for all rows: a str, or a list of them.
Columns = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """Messages with the same lengths. index (n,): their places in the topic. columns by dotted name: (n, ...) arrays;
    a string is one str for all of them, as is a sequence of strings one list."""

    index: NDArray[np.int64]
    columns: Columns


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
