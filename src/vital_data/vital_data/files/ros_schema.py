"""ROS 2 message definitions as an MCAP file holds them (`ros2msg`): made from the installed ones, and parsed."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from vital_core.errors import ErrorCode, VitalError

MOST_DEPTH = 20
SEPARATOR = "=" * 80
PRIMITIVES = {
    "bool": "?", "byte": "u1", "char": "u1", "int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2",
    "int32": "<i4", "uint32": "<u4", "int64": "<i8", "uint64": "<u8", "float32": "<f4", "float64": "<f8",
}  # fmt: skip
STRINGS = ("string", "wstring")
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
