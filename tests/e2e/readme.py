"""What the README says: its sections and the code in them."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def section(title: str) -> str:
    """The text below that heading, up to the next."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README.read_text(),
                      re.DOTALL | re.MULTILINE)  # fmt: skip
    assert found, f"README.md has no section {title}"
    return found.group(1)


def blocks(title: str) -> dict[str, str]:
    """language -> the code in that language, the first of each in the section."""
    found = re.findall(r"^```(\w+)\n(.*?)^```", section(title), re.DOTALL | re.MULTILINE)
    return dict(reversed(found))
