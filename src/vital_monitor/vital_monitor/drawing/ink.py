"""What everything that is drawn or written is made of: blue for what is, red for a limit, grey around it."""

from collections.abc import Iterable
from html import escape

from vital_core.errors import shortened

BLUE, RED, GREEN, GREY, LIGHT, INK = "#2f6fb2", "#d6402b", "#2e8b57", "#8a929b", "#e4e7ea", "#30363c"
ORANGE = "#c77700"
LONGEST = 200
TYPE = f"font-family:system-ui,sans-serif;font-size:13px;line-height:1.45;color:{INK}"


def block(body: str) -> str:
    """A part of the page."""
    return f"<div style='{TYPE};padding:2px 12px'>{body}</div>"


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values, aligned."""
    cells = "".join(
        f"<tr><td style='color:{GREY};padding:1px 10px 1px 0;white-space:nowrap;vertical-align:top'>{escape(name)}</td>"
        f"<td style='padding:1px 0;overflow-wrap:anywhere'>{escape(shortened(value, LONGEST))}</td></tr>"
        for name, value in rows
    )
    return f"<table style='border-collapse:collapse;width:100%'>{cells}</table>"


def badge(words: str, colour: str) -> str:
    """A word that is seen from afar."""
    return (
        f"<span style='background:{colour};color:#fff;border-radius:4px;padding:2px 9px;font-weight:600'>"
        f"{escape(shortened(words, LONGEST))}</span>"
    )
