"""Links of the pages, as they work in the repository, turned into links of the site."""

import posixpath
import re

from generated_pages import HOMES, ROOT

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\n]+)\]\((?P<target>[^)\s]+)\)")


def in_repository(page: str) -> str:
    """The path in the repository of what a page of the site is written in."""
    shown = {home: source for source, home in HOMES.items() if home != "index.md"}
    return shown.get(page, f"docs/{page}")


def site_links(markdown: str, page: str) -> tuple[str, list[str]]:
    """The text of a page with links as the site has them, and the targets that are not there.

    A link to a page becomes one of the site; one to another file of the repository becomes its path.
    """
    folder, broken = posixpath.dirname(in_repository(page)), []

    def moved(found: re.Match[str]) -> str:
        target, _, anchor = found["target"].partition("#")
        if not target or ":" in target:
            return found[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        home = HOMES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if home is not None and (home in HOMES.values() or (ROOT / "docs" / home).is_file()):
            there = posixpath.relpath(home, posixpath.dirname(page) or ".")
            return f"[{found['text']}]({there}{'#' + anchor if anchor else ''})"
        if not (ROOT / path).exists():
            broken.append(found["target"])
        return f"{found['text']} (`{path}`)" if path not in found["text"] else found["text"]

    return LINK.sub(moved, markdown), broken
