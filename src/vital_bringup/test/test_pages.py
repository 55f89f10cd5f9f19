"""The site: it builds without a broken link, asks no other host for anything, and tells all that it should."""

import html.parser
import os
import subprocess
import sys
from pathlib import Path

import generated_pages
import pytest
from links import site_links

from vital_core.errors import ErrorCode

ROOT = Path(__file__).parents[3]
FETCHES = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("object", "data"),
}


class Fetched(html.parser.HTMLParser):
    """What a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        fetches = tag == "link" and given.get("rel") not in ("canonical", "next", "prev", "edit")
        self.addresses += [v or "" for k, v in attrs if (tag, k) in FETCHES or (fetches and k == "href")]
        assert "mermaid" not in (given.get("class") or ""), "diagrams are drawn by a script from elsewhere"


def built(folder: Path, **environment: str) -> Path:
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", **environment}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without the API, which takes most of the time."""
    return built(tmp_path_factory.mktemp("site"), VITAL_PAGES_API="0")


def test_site_builds_without_a_broken_link_and_fetches_nothing_from_elsewhere(site: Path) -> None:
    assert (site / "ten_minutes.html").exists() and (site / "packages" / "vital_core.html").exists()
    for page in site.rglob("*.html"):
        reader = Fetched()
        reader.feed(page.read_text())
        assert [a for a in reader.addresses if a.startswith(("http:", "https:", "//"))] == [], page
    for sheet in site.rglob("*.css"):
        assert "url(http" not in sheet.read_text() and "@import" not in sheet.read_text(), sheet


def test_equations_are_drawn_by_the_browser_itself(site: Path) -> None:
    page = (site / "how_it_works.html").read_text()
    assert page.count("<math") > 20 and "arithmatex" not in page and r"\frac" not in page


@pytest.mark.slow
def test_api_tells_of_every_package(tmp_path: Path) -> None:
    site = built(tmp_path)
    for package in generated_pages.PACKAGES:
        assert f'id="{package}.' in (site / "api" / f"{package}.html").read_text(), package
    assert "vital_core.pose.from_vector" in (site / "api" / "vital_core.html").read_text()


def test_every_message_is_told_with_all_its_fields() -> None:
    page, told = generated_pages.messages_page(), 0
    for kind in generated_pages.KINDS:
        for path in (ROOT / "src" / "vital_interfaces" / kind).glob(f"*.{kind}"):
            section = page.partition(f"### {path.stem}\n")[2].partition("\n### ")[0]
            lines = [line.partition("#")[0].split() for line in path.read_text().splitlines()]
            fields = [" ".join(words) for words in lines if words and words != ["---"]]
            assert fields and [f for f in fields if f"`{f}`" not in section] == [], path
            told += 1
    assert told > 30


def test_packages_pages_are_their_readmes_with_nodes_and_parameters() -> None:
    pages = generated_pages.generated_pages()
    gate = pages["packages/vital_control.md"]
    assert gate == (ROOT / "src/vital_control/README.md").read_text() and "| parameter | type | default |" in gate


def test_every_code_can_be_looked_up() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    assert [code.name for code in ErrorCode if f"| {int(code)} | `{code.name}` |" not in page] == []


@pytest.mark.parametrize(
    ("page", "link", "becomes"),
    [
        ("packages/vital_core.md", "[errors](../../docs/errors.md)", "[errors](../errors.md)"),
        ("extend.md", "[nodes](../CONTRIBUTING.md#how-to-add)", "[nodes](contributing.md#how-to-add)"),
        ("contributing.md", "[all](docs/architecture.md)", "[all](architecture.md)"),
        ("an_hour.md", "[day](a_day.md#let-it-practise)", "[day](a_day.md#let-it-practise)"),
        ("index.md", "[core](../src/vital_core/README.md)", "[core](packages/vital_core.md)"),
        ("index.md", "[the script](../vital)", "the script (`vital`)"),
        ("index.md", "[elsewhere](https://example.org/a)", "[elsewhere](https://example.org/a)"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(page: str, link: str, becomes: str) -> None:
    assert site_links(link, page) == (becomes, [])


def test_a_link_to_nothing_is_found() -> None:
    assert site_links("[gone](nowhere.md)", "index.md")[1] == ["nowhere.md"]
