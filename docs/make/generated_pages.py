"""Pages that are made from the code each time the site is built: messages, packages, the API, the notebook.

python docs/make/generated_pages.py FOLDER     writes them into a folder, to look at

VITAL_PAGES_API=0 leaves out the API, which takes most of the time.
"""

import functools
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
SECTIONS = {"Packages, nodes and parameters": "packages/", "Messages": "messages.md", "API": "api/"}
"""Title in the navigation -> where its pages begin."""
KINDS = {"msg": "Messages", "srv": "Services", "action": "Actions"}
PACKAGES = sorted(path.parent.name for path in SOURCES.glob("*/setup.py"))
READMES = {
    f"src/{path.parent.name}/README.md": f"packages/{path.parent.name}.md" for path in SOURCES.glob("*/README.md")
}
HOMES = {
    **READMES,
    "pip_ros/README.md": "packages/pip_ros.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "docs/benchmark.ipynb": "benchmark.md",
}
"""File in the repository -> page of the site that shows it."""


def message_lines(text: str) -> tuple[str, list[tuple[str, str]]]:
    """(what it is for, rows of a definition as (line, comment)); a row that is `---` divides request from answer."""
    said, rows = [], []
    for line in text.splitlines():
        code, _, comment = line.partition("#")
        if code.strip():
            rows.append((" ".join(code.split()), comment.strip()))
        elif comment and not rows:
            said.append(comment.strip())
        elif comment and rows:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {comment.strip()}".strip())
    return " ".join(said), rows


def _message(path: Path) -> Iterator[str]:
    said, rows = message_lines(path.read_text())
    yield f"### {path.stem}\n"
    yield f"`vital_interfaces/{path.parent.name}/{path.stem}`. {said}\n"
    head = ["| field | |", "|---|---|"]
    table: list[str] = []
    for code, comment in rows:
        if code == "---":
            yield from [
                *(head + table if table else ["(nothing)"]),
                "",
                "gives:" if not comment else f"gives ({comment}):",
                "",
            ]
            table = []
            continue
        escaped = code.replace("|", "\\|")
        table.append(f"| `{escaped}` | {comment.replace('|', chr(92) + '|')} |")
    yield from [*(head + table if table else ["(nothing)"]), ""]


def messages_page() -> str:
    """Every message, service and action, from its definition."""
    lines = [
        "# Messages, services and actions\n",
        "From `src/vital_interfaces`, as it is built. SI units; stamps are ROS time; codes are those of "
        "[Troubleshooting by error code](errors.md).\n",
    ]
    for kind, title in KINDS.items():
        lines.append(f"## {title}\n")
        for path in sorted((SOURCES / "vital_interfaces" / kind).glob(f"*.{kind}")):
            lines += _message(path)
    return "\n".join(lines) + "\n"


def modules_of(package: str) -> list[str]:
    """The modules of a package that say something about themselves, in order."""
    folder = SOURCES / package / package
    names = [".".join((package, *p.relative_to(folder).with_suffix("").parts)) for p in sorted(folder.rglob("*.py"))]
    return [name.removesuffix(".__init__") for name in names]


def api_page(package: str) -> str:
    """Every public class and function of a package; mkdocstrings reads them from the sources, without importing."""
    lines = [f"# API of {package}\n", f"What the package is for: [its page](../packages/{package}.md).\n"]
    for module in modules_of(package):
        if module.count(".") and not (SOURCES / package / (module.replace(".", "/"))).is_dir():
            lines += [f"::: {module}", ""]
    return "\n".join(lines)


def notebook_page(path: Path) -> str:
    """A notebook with its outputs as Markdown; a picture in it is shown inline."""
    notebook, lines = json.loads(path.read_text()), []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        lines += [text, ""] if cell["cell_type"] == "markdown" else ["```python", text, "```", ""]
        for output in cell.get("outputs", []):
            said = "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
            for kind in ("image/png", "image/webp"):
                if kind in output.get("data", {}):
                    coded = "".join(output["data"][kind]).replace("\n", "")
                    lines += [f'<img alt="output" src="data:{kind};base64,{coded}">', ""]
                    said = ""
            if said:
                lines += ["```text", said.rstrip("\n"), "```", ""]
    lines.append(f"This page is `{path.relative_to(ROOT)}`.")
    return "\n".join(lines) + "\n"


@functools.cache
def generated_pages() -> dict[str, str]:
    """Page of the site -> its Markdown."""
    shown = {source: home for source, home in HOMES.items() if source.endswith(".md") and home != "index.md"}
    pages = {home: (ROOT / source).read_text() for source, home in shown.items()}
    notebook = ROOT / "docs" / "benchmark.ipynb"
    if notebook.exists():
        pages["benchmark.md"] = notebook_page(notebook)
    pages["messages.md"] = messages_page()
    if os.environ.get("VITAL_PAGES_API") != "0":
        pages |= {f"api/{package}.md": api_page(package) for package in PACKAGES}
    return dict(sorted(pages.items()))


if __name__ == "__main__":
    for name, text in generated_pages().items():
        target = Path(sys.argv[1]) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(re.sub(r"\n{3,}", "\n\n", text))
