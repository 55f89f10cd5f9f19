"""Dates and times in files that people write and read: ISO 8601, as text or as YAML's own."""

from datetime import date, datetime
from typing import Annotated, Any

from msgspec import Meta

Date = Annotated[str, Meta(min_length=8, max_length=40)]
_DAY_S, _HOUR_S, _MINUTE_S = 86_400.0, 3_600.0, 60.0


def as_text(value: Any) -> Any:
    """A value of a YAML file, a date or time in it as ISO 8601 text; anything else as it is."""
    return value.isoformat() if isinstance(value, date) else value


def moment_of(text: str) -> datetime:
    """The moment with its time zone. Without one this machine's counts; a date alone is that day's beginning.

    Raises ValueError when it is no date.
    """
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise ValueError(f"'{text}' is no date, expected one as 2026-11-26 or 2026-11-26T10:00:00+01:00") from error


def now() -> datetime:
    """This moment, with this machine's time zone."""
    return datetime.now().astimezone()


def told_age(age_s: float) -> str:
    """How long ago, for a person."""
    for unit_s, name in ((_DAY_S, "days"), (_HOUR_S, "hours"), (_MINUTE_S, "minutes")):
        if age_s >= 2 * unit_s:
            return f"{age_s / unit_s:.0f} {name}"
    return f"{max(age_s, 0.0):.0f} s"
