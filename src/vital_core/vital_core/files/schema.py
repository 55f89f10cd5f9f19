"""What comes from outside as a typed value: YAML and JSON, bounded in size and depth, checked against a dataclass.

A value is either what its type says, every field of the right kind and within its range and none that the type does
not know, or it is refused with the file, the field, what was got and what was expected.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import yaml
from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError

# Settings and headers are flat and small; whatever is beyond this was not written by a person or by this project.
MOST_DEPTH = 24
YAML_BYTES = 256_000
JSON_BYTES = 4_000_000
MOST_SHOWN = 80

Finite = Annotated[float, Meta(ge=-1e15, le=1e15)]
Positive = Annotated[float, Meta(gt=0.0, le=1e15)]
NotNegative = Annotated[float, Meta(ge=0.0, le=1e15)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=100_000)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Vector3 = tuple[Finite, Finite, Finite]

Kind = TypeVar("Kind")
# What parsers and constructors raise for text that is none, beside their own errors.
_UNREADABLE = (yaml.YAMLError, msgspec.MsgspecError, ValueError, LookupError, OverflowError, RecursionError)
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


@dataclass(frozen=True)
class Source:
    """Where a value comes from. name: as an operator knows it ("task file x.yaml"); code: of a refusal; remedy: what
    to do about it ("restore it")."""

    name: str
    code: ErrorCode
    remedy: str

    def refuse(self, what: str) -> VitalError:
        """A refusal of what is there."""
        return VitalError(self.code, f"{self.name}: {what}: {self.remedy}")


def from_yaml(text: bytes | str, kind: type[Kind], source: Source) -> Kind:
    """YAML without aliases, tags and repeated names as a value of ``kind``. Raises VitalError, the source's code."""
    return checked(plain_yaml(text, source), kind, source)


def from_json(text: bytes | str, kind: type[Kind], source: Source, most_bytes: int = JSON_BYTES) -> Kind:
    """JSON as a value of ``kind``. Raises VitalError with the source's code."""
    return checked(plain_json(text, source, most_bytes), kind, source)


def plain_yaml(text: bytes | str, source: Source) -> Any:
    """Mappings, lists, text, numbers. Raises VitalError."""
    _bound(text, YAML_BYTES, source)
    try:
        _refuse_what_grows(text, source)
        value = yaml.load(text, _Unrepeated)
    except _UNREADABLE as error:
        raise source.refuse(f"cannot be read ({_first_line(error)})") from error
    return value


def plain_json(text: bytes | str, source: Source, most_bytes: int = JSON_BYTES) -> Any:
    """As `plain_yaml`, of JSON; numbers that are not finite are refused."""
    _bound(text, most_bytes, source)
    try:
        value = msgspec.json.decode(text)
    except _UNREADABLE as error:
        raise source.refuse(f"cannot be read ({_first_line(error)})") from error
    _bound_depth(value, source)
    return value


def checked(value: Any, kind: type[Kind], source: Source) -> Kind:
    """A plain value as ``kind``: a dataclass, or what is made of them. Raises VitalError.

    ValueError and TypeError of a `__post_init__` are refusals of the field; a VitalError of it passes.
    """
    try:
        found = msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError, OverflowError) as error:
        raise source.refuse(_told(str(error), value, kind)) from error
    if (unknown := _unknown(value, msgspec.to_builtins(found))) is not None:
        raise source.refuse(f"{unknown} is unknown, expected only what it is made of")
    return found


class _Unrepeated(yaml.CSafeLoader):
    """Refuses a mapping that gives a name twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(names) != len(set(names)):
            twice = next(name for name in names if names.count(name) > 1)
            raise yaml.constructor.ConstructorError(None, None, f"{twice!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def _bound(text: bytes | str, most_bytes: int, source: Source) -> None:
    if len(text) > most_bytes:
        raise source.refuse(f"has {len(text)} bytes, expected at most {most_bytes}")


def _refuse_what_grows(text: bytes | str, source: Source) -> None:
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise source.refuse("has an alias (*name), expected every value written out")
        if (tag := getattr(event, "tag", None)) not in (None, "!"):
            raise source.refuse(f"has the tag {tag}, expected plain values")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise source.refuse(f"is nested deeper than {MOST_DEPTH} levels")


def _bound_depth(value: Any, source: Source) -> None:
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise source.refuse(f"is nested deeper than {MOST_DEPTH} levels")


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _unknown(given: Any, known: Any, path: str = "") -> str | None:
    """The first name in ``given`` that has no place in ``known``, which is what came of it."""
    if isinstance(given, Mapping) and isinstance(known, Mapping):
        if beyond := sorted(str(name) for name in given.keys() - known.keys()):
            return f"'{path}{beyond[0]}'"
        pairs = [(f"{path}{name}.", given[name], known[name]) for name in given]
    elif isinstance(given, list | tuple) and isinstance(known, list | tuple):
        pairs = [(f"{path}{k}.", *pair) for k, pair in enumerate(zip(given, known, strict=True))]
    else:
        return None
    return next((found for at, a, b in pairs if (found := _unknown(a, b, at)) is not None), None)


def _told(message: str, value: Any, kind: Any) -> str:
    """The library's sentence with what was got at that place."""
    match = _PLACE.match(message)
    what, path = (match["what"], match["path"]) if match else (message, None)
    if missing := _MISSING.match(what):
        parent = _value_at(value, path or "$")
        where, has = f"{path[2:]} " if path else "", sorted(map(str, parent)) if isinstance(parent, dict) else []
        return f"{where}lacks {missing[1]}, got {_short(has)}"
    if path is None:
        return f"is {_short(value)}, {what[:1].lower()}{what[1:]}"
    if what.startswith("Invalid enum value") and (options := _options(kind, path)):
        what = f"expected one of {', '.join(map(str, options))}"
    return f"{path[2:] or 'the whole'} is {_short(_value_at(value, path))}, {what[:1].lower()}{what[1:]}"


def _options(kind: Any, path: str) -> tuple[Any, ...]:
    """The values that a field may have which is one of a few; () where that cannot be told."""
    for name, _ in _STEP.findall(path):
        arguments = get_args(kind)
        kind = get_type_hints(kind).get(name) if is_dataclass(kind) else arguments[0] if arguments else None
    return get_args(kind) if get_origin(kind) is Literal else ()


def _value_at(value: Any, path: str) -> Any:
    for name, number in _STEP.findall(path):
        try:
            value = value[name] if name else value[int(number)]
        except (KeyError, IndexError, TypeError):
            return value
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ", ".join(lines[:2]) or type(error).__name__
