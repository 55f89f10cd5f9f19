"""The commands that pages tell a reader to type: fenced blocks, and the marks that say what a test does with them.

A mark is a comment before a fence, for the next block alone:

    <!-- ends with 1 -->                  its commands end with this exit code
    <!-- stays up -->                     it runs while the page's next blocks do, and is ended by Ctrl-C
    <!-- the test adds: --steps 8 -->     to the first command of the block, so that it takes no hour
    <!-- the test adds to 2: a:=b -->     to the second one
    <!-- not run: why -->                 it is only read
    <!-- file: name.py -->                the block is a file that the next ones use
"""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(
    r"(?P<marks>(?:^[ ]*<!--[^\n]*-->\n)*)^(?P<indent>[ ]*)```(?P<kind>[^\n`]*)\n(?P<text>.*?)^[ ]*```", re.M | re.S
)
SHELL = ("", "sh", "bash")
OPERATORS = ("&&", "|", "&", ";", "||")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    kind: str
    text: str
    exit_code: int = 0
    stays: bool = False
    not_run: str = ""
    file: str = ""
    added: dict[int, str] = field(default_factory=dict)
    """Number of the command, from 1 -> what the test adds to it."""

    @property
    def commands(self) -> list[str]:
        """Its commands, one a line of the shell: continued lines joined, comments gone."""
        if self.kind not in SHELL:
            return []
        found: list[str] = []
        for line in self.text.replace("\\\n", " ").splitlines():
            said = without_comment(line)
            if said.strip():
                found.append(" ".join(said.split()))
        return found

    @property
    def place(self) -> str:
        """Where a person finds it."""
        return f"{self.page.name}:{self.line}"


def without_comment(line: str) -> str:
    """A line of shell without what follows a # outside quotes."""
    quote = ""
    for i, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and (i == 0 or line[i - 1].isspace()):
            return line[:i]
    return line


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order. Raises ValueError for a mark that is none."""
    text, found = page.read_text(), []
    for match in FENCE.finditer(text):
        line = text[: match.start("kind")].count("\n") + 1
        kind = match["kind"].split(" ")[0]
        found.append(Block(page, line, kind, match["text"], **_marks(match["marks"], f"{page.name}:{line}")))
    return found


def _marks(text: str, place: str) -> dict[str, object]:
    told: dict[str, object] = {}
    added: dict[int, str] = {}
    for mark in re.findall(r"<!--\s*(.*?)\s*-->", text):
        if number := re.fullmatch(r"ends with (\d+)", mark):
            told["exit_code"] = int(number[1])
        elif mark == "stays up":
            told["stays"] = True
        elif more := re.fullmatch(r"the test adds(?: to (\d+))?: (.+)", mark):
            added[int(more[1] or 1)] = more[2]
        elif why := re.fullmatch(r"not run: (.+)", mark):
            told["not_run"] = why[1]
        elif name := re.fullmatch(r"file: ([\w.]+)", mark):
            told["file"] = name[1]
        elif mark.split(" ")[0] not in ("nodes", "end"):
            raise ValueError(f"{place}: '{mark}' is no mark of docs/make/commands.py")
    return {**told, "added": added}


def simple_commands(line: str) -> list[list[str]]:
    """The words of each command of a line, without operators and settings of variables before it; what a reader
    fills in, <such as this>, is one word."""
    lexer = shlex.shlex(re.sub(r"<[^<>]*>", "PLACEHOLDER", line), posix=True, punctuation_chars=";&|")
    lexer.whitespace_split, lexer.commenters = True, ""
    found: list[list[str]] = [[]]
    for word in lexer:
        if word in OPERATORS:
            found.append([])
        else:
            found[-1].append(word)
    return [stripped for words in found if (stripped := _without_settings(words))]


def _without_settings(words: list[str]) -> list[str]:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words
