"""Colours and the frame of everything that is drawn or written: blue for what is, red for a limit, grey around it."""

BLUE, RED, GREEN, GREY, LIGHT, INK = "#2f6fb2", "#d6402b", "#2e8b57", "#8a929b", "#e4e7ea", "#30363c"
ORANGE = "#c77700"
TYPE = f"font-family:system-ui,sans-serif;font-size:13px;line-height:1.45;color:{INK}"


def block(body: str) -> str:
    """A part of the page."""
    return f"<div style='{TYPE};padding:2px 12px'>{body}</div>"
