"""Reads README.md and docs/: their sections, and the blocks of code in them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"(?://|#) (\S+\.\w+)")  # a block's first line that names a file


@dataclass(frozen=True)
class Block:
    place: str  # "README.md:12"
    language: str  # empty: a picture, or what a program prints
    code: str

    def file(self) -> str:
        """The path of the file whose content the block is. Empty: the block is no file."""
        found = FILE.fullmatch(self.code.partition("\n")[0])
        return found.group(1) if found else ""


def blocks(document: str) -> list[Block]:
    text = (ROOT / document).read_text()
    return [Block(f"{document}:{text.count(chr(10), 0, found.start()) + 1}", *found.groups())
            for found in BLOCK.finditer(text)]


def section(document: str, title: str) -> str:
    """The text below the heading `title`, up to the next heading of its level."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", (ROOT / document).read_text(),
                      re.DOTALL | re.MULTILINE)  # fmt: skip
    assert found, f"{document} has no section {title}"
    return found.group(1)


def code_in(document: str, title: str) -> dict[str, str]:
    """language -> the section's first block of code in that language."""
    found = BLOCK.findall(section(document, title))
    return {language: code for language, code in reversed(found) if language}
