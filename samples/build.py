"""Render the sample corpus and check its gold.

Sources are small text files in ``src/<kind>/<name>.txt`` (see sources.py for their markup). Each is rendered to
``documents/<kind>/<name>.<ext>``; sources in ``src/attachments/`` are only rendered into the mails that name them.
Plain ``.txt`` and ``.md`` documents are kept in ``documents/`` as they are and are not touched.

Usage:
  python samples/build.py            render everything
  python samples/build.py --check    check gold and register against the sources and the schema
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from pathlib import Path

import yaml
from rendering import RENDERERS, missing_glyphs
from sources import SRC, Source, read_source

HERE = Path(__file__).resolve().parent
DOCUMENTS, GOLD = HERE / "documents", HERE / "gold"
REGISTER = HERE / "register.csv"
SCHEMA = HERE.parent / "transforms" / "schemas" / "enterprise.yaml"


def sources() -> list[Source]:
    """All sources that become documents of their own."""
    return [read_source(p) for p in sorted(SRC.rglob("*.txt")) if p.parent.name != "attachments"]


def build() -> None:
    """Render every source."""
    for source in sources():
        if missing := missing_glyphs(source):
            raise ValueError(f"{source.path.name}: no glyph for {missing!r}")
        target = DOCUMENTS / source.target
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(RENDERERS[source.format](source))


def document_texts() -> dict[str, str]:
    """The whitespace-normalised text behind every document, by its path under documents/."""
    texts = {}
    for source in sources():
        meta = [source.title if source.format == "html" else "", *source.letterhead]
        meta += [str(source.meta.get(k, "")) for k in ("from", "to", "cc", "date", "subject")]
        body = re.sub(r"^> ?", "", source.body, flags=re.MULTILINE)
        texts[source.target.as_posix()] = " ".join(" ".join([*meta, body]).split())
    for path in sorted(DOCUMENTS.rglob("*")):
        if path.suffix in (".txt", ".md"):
            texts[path.relative_to(DOCUMENTS).as_posix()] = " ".join(path.read_text(encoding="utf-8").split())
    return texts


def check() -> list[str]:
    """Everything that is wrong with the register or the gold."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    with REGISTER.open(encoding="utf-8", newline="") as handle:
        register = list(csv.DictReader(handle))
    ids = {row["id"]: row["type"] for row in register}
    wrong = [f"register: {r['id']}: type {r['type']}" for r in register if r["type"] not in schema["entities"]]
    if len(ids) != len(register):
        wrong.append("register: ids are not unique")
    texts = document_texts()
    wrong += [f"{name}: not rendered" for name in texts if not (DOCUMENTS / name).is_file()]
    for path in sorted(GOLD.glob("*.json")):
        gold = json.loads(path.read_text(encoding="utf-8"))
        text = texts.get(gold["document"], "")
        types: dict[str, set[str]] = {}
        seen = set()
        for entity in gold["entities"]:
            surface, kind, ident = entity["text"], entity["type"], entity["id"]
            types.setdefault(surface, set()).add(kind)
            if not re.search(rf"(?<!\w){re.escape(surface)}(?!\w)", text):
                wrong.append(f"{path.name}: not in the document: {surface}")
            if kind not in schema["entities"]:
                wrong.append(f"{path.name}: {surface}: type {kind}")
            if ident is not None and ids.get(ident) != kind:
                wrong.append(f"{path.name}: {surface}: id {ident} is not a {kind} of the register")
            if (surface, kind, ident) in seen:
                wrong.append(f"{path.name}: {surface}: twice")
            seen.add((surface, kind, ident))
        for relation in gold["relations"]:
            name, rule = relation["relation"], schema["relations"].get(relation["relation"])
            for end in ("head", "tail"):
                kinds = types.get(relation[end], set())
                if not rule or not kinds & set(rule[end]):
                    wrong.append(f"{path.name}: {name}: {end} {relation[end]!r} is {sorted(kinds) or 'not listed'}")
    return wrong


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Render the sample corpus or check its gold.")
    parser.add_argument("--check", action="store_true", help="check gold and register, render nothing")
    if not parser.parse_args().check:
        build()
        return 0
    wrong = check()
    print("\n".join(wrong) or "gold and register are consistent")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
