"""The sources of samples: small text files in ``src/<kind>/<name>.txt``, and what they say.

YAML front matter between two ``---`` lines, then a body in a light markup, by block (blocks are separated by blank
lines):
  ``# `` / ``## ``    headings
  ``- ``              list items
  ``| a | b |``       table rows (the first row is the header)
  ``> ``              lines kept as they are (addresses, signatures)
  ``===PAGE===``      a page break
  anything else       a paragraph, its lines joined
Row files (jsonl, parquet) hold ``=== id | title`` lines, each followed by that row's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SRC = Path(__file__).resolve().parent / "src"
EXTENSIONS = {"scanned-pdf": "pdf"}


@dataclass
class Block:
    """One block of a body: a heading, paragraph, list, table, kept lines or page break."""

    kind: str
    lines: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Source:
    """A parsed source file."""

    path: Path
    meta: dict[str, Any]
    body: str

    @property
    def format(self) -> str:
        """What to render to."""
        return str(self.meta["format"])

    @property
    def title(self) -> str:
        """The title, or nothing."""
        return str(self.meta.get("title", ""))

    @property
    def letterhead(self) -> list[str]:
        """The lines printed above the body."""
        return str(self.meta.get("letterhead", "")).strip().splitlines()

    @property
    def target(self) -> Path:
        """The path of the rendered document, relative to the documents folder."""
        ext = EXTENSIONS.get(self.format, self.format)
        return self.path.relative_to(SRC).with_suffix("." + ext)

    @property
    def seed(self) -> int:
        """A fixed number of its own for noise and message ids."""
        return sum(ord(c) * (i + 1) for i, c in enumerate(self.path.stem))


def read_source(path: Path) -> Source:
    """Split a source file into its front matter and body."""
    match = re.match(r"---\n(.*?)\n---\n(.*)\Z", path.read_text(encoding="utf-8"), re.DOTALL)
    if not match:
        raise ValueError(f"{path.name}: no front matter")
    return Source(path, yaml.safe_load(match[1]), match[2].strip() + "\n")


def blocks(body: str) -> Iterator[Block]:
    """Parse a body into blocks."""
    for chunk in re.split(r"\n\s*\n", body.strip()):
        lines = chunk.splitlines()
        first = lines[0]
        if first == "===PAGE===":
            yield Block("page")
        elif first.startswith("## "):
            yield Block("h2", [first[3:]])
        elif first.startswith("# "):
            yield Block("h1", [first[2:]])
        elif first.startswith("- "):
            yield Block("list", re.split(r"\n- ", chunk[2:]))
        elif first.startswith("|"):
            yield Block("table", rows=[[c.strip() for c in ln.strip().strip("|").split("|")] for ln in lines])
        elif first.startswith(">"):
            yield Block("kept", [ln[1:].strip() for ln in lines])
        else:
            yield Block("para", [" ".join(ln.strip() for ln in lines)])


def rows(source: Source) -> list[dict[str, str]]:
    """The rows of a jsonl or parquet source."""
    found = []
    for part in re.split(r"^=== ", source.body, flags=re.MULTILINE)[1:]:
        head, _, text = part.partition("\n")
        ident, _, title = head.partition("|")
        found.append({"id": ident.strip(), "title": title.strip(), "text": " ".join(text.split())})
    return found
