"""One line of a session's index: JSON with a checksum of its own, so that a torn or changed line is noticed."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import schema
from vital_core.files.schema import Count, NotNegative, Source, Text

MOST_LINE_BYTES = 1_000_000
LINE = Source("a line of the index", ErrorCode.BAD_DATASET, "run `vital_data repair`")


@dataclass(frozen=True)
class IndexLine:
    """What a line of the index may say; what else stands in it is kept and not read. episode: its number."""

    episode: Annotated[int, Meta(ge=0, le=10_000_000)]
    file: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,200}$")] | None = None
    outcome: Annotated[str, Meta(max_length=200)] | None = None
    faults: Annotated[tuple[Annotated[str, Meta(max_length=2000)], ...], Meta(max_length=1000)] | None = None
    redo: bool | None = None
    frames: Count | None = None
    duration_s: NotNegative | None = None
    note: Text | None = None

    def __post_init__(self) -> None:
        if self.file is not None and not self.file.strip("."):
            raise ValueError(f"file is '{self.file}', expected the name of one in the session's folder")


def line_of(entry: Mapping[str, Any]) -> str:
    """One line of the index, with the checksum of the rest of it."""
    text = json.dumps(dict(entry), sort_keys=True)
    return json.dumps({**entry, "crc32": zlib.crc32(text.encode())}, sort_keys=True)


def entry_of(line: str) -> dict[str, Any]:
    """Inverse of `line_of`. Raises ValueError for a line that is torn, was changed or says what cannot be; one without
    a checksum passes."""
    try:
        entry = schema.checked(schema.plain_json(line, LINE, MOST_LINE_BYTES), dict[str, Any], LINE)
        checksum = entry.pop("crc32", None)
        known = {field.name for field in fields(IndexLine)}
        schema.checked({name: value for name, value in entry.items() if name in known}, IndexLine, LINE)
    except VitalError as error:
        raise ValueError(error.message) from error
    if checksum is not None and checksum != zlib.crc32(json.dumps(entry, sort_keys=True).encode()):
        raise ValueError("its checksum does not match")
    return entry
