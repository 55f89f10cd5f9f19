"""What mkdocs does beside turning docs/*.md into pages: pages from the code, links into the sources, equations."""

import logging
import re
from pathlib import Path

import latex2mathml.converter
from generated_pages import ROOT, SECTIONS, generated_pages
from links import site_links
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

EQUATION = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
log = logging.getLogger("mkdocs.hooks.vital")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Pages that are made from the code join the navigation."""
    for title, prefix in SECTIONS.items():
        names = [path for path in generated_pages() if path.startswith(prefix)]
        if names:
            config.nav.append({title: [{Path(name).stem: name} for name in names] if len(names) > 1 else names[0]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Pages that are made from the code, from the packages' READMEs and from the notebook."""
    for path, text in generated_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to what is no page become its path; a link to a file that is not there is an error."""
    text, broken = site_links(markdown, page.file.src_uri)
    for link in broken:
        log.warning("%s links to '%s', which is not there", page.file.src_uri, link)
    return text


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Equations as MathML, which browsers draw by themselves."""

    def drawn(found: re.Match[str]) -> str:
        latex = found["latex"].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
        return latex2mathml.converter.convert(latex, display="block" if found["tag"] == "div" else "inline")

    return EQUATION.sub(drawn, html)


assert (ROOT / "mkdocs.yml").exists()
