"""Weights on disk and on the wire: safetensors whose header is bounded, and that carry a hash of all they are.

A sealed file has `sha256` in its metadata: the SHA-256 of the whole file with these 64 digits as zeros. Whatever bit
changes, in a tensor, a name, a setting or the hash itself, the file is refused. Which versions of a format are sealed
says the format: a file of such a version without a hash is refused too.
"""

import errno
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Count, Source

MOST_BYTES = 2_000_000_000
MOST_HEADER_BYTES = 4_000_000
LENGTH_BYTES = 8
ALIGNMENT_BYTES = 8
# Metadata: the hash, and of a converted file the SHA-256 of the file it was, by which residuals and reports know it.
SEAL, CONVERTED_FROM = "sha256", "converted_from"
NO_DIGITS = "0" * 64
Metadata = dict[str, str]
log = logging.getLogger(__name__)
_HEX = re.compile("[0-9a-f]{64}")
_ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2,
    "U8": 1, "BOOL": 1,
}  # fmt: skip


@dataclass(frozen=True)
class TensorEntry:
    """What the header says of a tensor; its bytes lie from the first to the second offset after the header."""

    dtype: Literal["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"]
    shape: Annotated[tuple[Count, ...], Meta(max_length=8)]
    data_offsets: tuple[Count, Count]

    @property
    def bytes(self) -> int:
        """Size of the tensor."""
        size = _ITEM_BYTES[self.dtype]
        for length in self.shape:
            size *= length
        return size


@dataclass(frozen=True)
class Header:
    """A safetensors header. bytes: of the file until the first tensor."""

    metadata: Metadata
    tensors: dict[str, TensorEntry]
    bytes: int

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor."""
        return {name: entry.shape for name, entry in self.tensors.items()}


def read_file(path: Path, source: Source, most_bytes: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file. Raises VitalError."""
    try:
        return safe_file.read_bytes(path, most_bytes)
    except OSError as error:
        raise source.refuse(f"cannot be read ({error})") from error


def read_header(path: Path, source: Source) -> Header:
    """The header of a file of any size, whose tensors must fill the rest of it. Raises VitalError."""
    try:
        with safe_file.open_regular(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            head = file.read(min(length, MOST_HEADER_BYTES))
    except OSError as error:
        raise source.refuse(f"cannot be read ({error})") from error
    return _header(length, head, size, source)


def parse_header(data: bytes, source: Source) -> Header:
    """As `read_header`, of bytes in memory."""
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    head = data[LENGTH_BYTES : LENGTH_BYTES + min(length, MOST_HEADER_BYTES)]
    return _header(length, head, len(data), source)


def _header(length: int, head: bytes, file_bytes: int, source: Source) -> Header:
    if not 2 <= length <= min(MOST_HEADER_BYTES, file_bytes - LENGTH_BYTES):
        raise source.refuse(
            f"is no safetensors file ({file_bytes} bytes with a header of {length}, expected at most "
            f"{MOST_HEADER_BYTES} and no more than there are)"
        )
    values = schema.checked(schema.plain_json(head, source, MOST_HEADER_BYTES), dict[str, dict[str, Any]], source)
    metadata = schema.checked(values.pop("__metadata__", {}), Metadata, source)
    header = Header(metadata, schema.checked(values, dict[str, TensorEntry], source), LENGTH_BYTES + length)
    _check_offsets(header, file_bytes, source)
    return header


def _check_offsets(header: Header, file_bytes: int, source: Source) -> None:
    """The tensors lie one behind the other, without gap or overlap, up to the end of the file."""
    end = 0
    for name, entry in sorted(header.tensors.items(), key=lambda item: item[1].data_offsets):
        if entry.data_offsets != (end, end + entry.bytes):
            raise source.refuse(
                f"{name} lies at {entry.data_offsets}, expected {(end, end + entry.bytes)} for {entry.dtype} of shape "
                f"{entry.shape}"
            )
        end += entry.bytes
    if header.bytes + end != file_bytes:
        raise source.refuse(f"has {file_bytes} bytes, expected {header.bytes + end} from what its header names")


def sealed(data: bytes, metadata: Mapping[str, str], source: Source) -> bytes:
    """The same tensors with this metadata and the hash; the same content gives the same bytes."""
    header = parse_header(data, source)
    tensors = sorted(header.tensors.items(), key=lambda item: item[1].data_offsets)
    words = dict(sorted({**metadata, SEAL: NO_DIGITS}.items()))
    head = msgspec.json.encode({"__metadata__": words, **{name: _entry(entry) for name, entry in tensors}})
    head += b" " * (-len(head) % ALIGNMENT_BYTES)
    whole = b"".join([len(head).to_bytes(LENGTH_BYTES, "little"), head, data[header.bytes :]])
    at = _place_of(NO_DIGITS, whole, LENGTH_BYTES + len(head), source)
    return b"".join([whole[:at], safe_file.sha256(whole).encode(), whole[at + len(NO_DIGITS) :]])


def _entry(entry: TensorEntry) -> dict[str, Any]:
    return {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": entry.data_offsets}


def _place_of(digits: str, data: bytes, head_bytes: int, source: Source) -> int:
    mark = f'"{SEAL}":"{digits}"'.encode()
    head = data[:head_bytes]
    if head.count(mark) != 1:
        raise source.refuse(f"has its hash {head.count(mark)} times in its header, expected once")
    return head.index(mark) + len(mark) - 1 - len(digits)


def check_seal(data: bytes, header: Header, source: Source) -> None:
    """That the file is, to the last bit, what was sealed. Raises VitalError."""
    told = header.metadata.get(SEAL, "")
    if not _HEX.fullmatch(told):
        raise source.refuse(f"has the hash '{told[:80]}', expected 64 digits: this version is never without")
    at = _place_of(told, data, header.bytes, source)
    found = safe_file.sha256(b"".join([data[:at], NO_DIGITS.encode(), data[at + len(told) :]]))
    if found != told:
        raise source.refuse(f"has the hash {found[:12]}, its header says {told[:12]}: it was damaged or changed")


def identity(data: bytes, header: Header) -> str:
    """The SHA-256 by which residuals and reports know a file: its own, or that of the file it was converted from."""
    return header.metadata.get(CONVERTED_FROM) or safe_file.sha256(data)


@dataclass(frozen=True)
class Format:
    """A kind of weights. sealed: the version that carries a hash; unsealed: the one before, which has none, empty where
    there is none that can still be read; convert: the command that makes the one of the other."""

    sealed: str
    unsealed: str = ""
    convert: str = ""

    def check(self, told: object, data: bytes, header: Header, source: Source) -> Metadata:
        """The metadata but for hash and origin, of a file that says that it is of version ``told``.

        Raises VitalError: another version, a hash that is missing or wrong, or a hash that this version cannot have.
        """
        if told == self.sealed:
            check_seal(data, header, source)
        elif not self.unsealed or told != self.unsealed:
            raise source.refuse(f"format is '{told}', expected '{self.sealed}'")
        elif beyond := sorted(header.metadata.keys() & {SEAL, CONVERTED_FROM}):
            raise source.refuse(f"format is '{told}', which has no {beyond[0]}: it was changed")
        origin = header.metadata.get(CONVERTED_FROM)
        if origin is not None and not _HEX.fullmatch(origin):
            raise source.refuse(f"{CONVERTED_FROM} is '{origin[:80]}', expected 64 digits")
        return {name: value for name, value in header.metadata.items() if name not in (SEAL, CONVERTED_FROM)}

    def warn(self, told: object, path: Path) -> None:
        """Say of a file without a hash that nobody can tell whether it is whole."""
        if told == self.unsealed:
            log.warning("%s is unverified: %s has no hash; '%s %s' gives it one", path, told, self.convert, path)


Upgrade = Callable[[Metadata], Metadata]


def convert(path: Path, source: Source, upgrade: Upgrade, check: Callable[[bytes], object]) -> bool:
    """Seal a file in its place, whole or not at all; False where it is sealed already.

    upgrade: metadata of the sealed version from those of the one before. check: reads the bytes as they are used and
    raises VitalError; before it is replaced, the old file and the one to take its place are both checked.
    """
    data = read_file(path, source)
    check(data)
    header = parse_header(data, source)
    if SEAL in header.metadata:
        return False
    metadata = {**upgrade(header.metadata), CONVERTED_FROM: safe_file.sha256(data)}
    again = sealed(data, metadata, source)
    check(again)
    try:
        safe_file.write_bytes(path, again)
    except OSError as error:
        code = ErrorCode.DISK_FULL if error.errno == errno.ENOSPC else ErrorCode.BAD_PARAMETER
        raise VitalError(
            code, f"{path} cannot be written ({error}), it is as it was: make room or see to its rights"
        ) from error
    return True
