"""The model card: what a bundle was trained on and what it scored, from its manifest alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def model_card(manifest: Mapping[str, Any]) -> str:
    """Markdown."""
    metrics = manifest["metrics"]
    parts = [
        f"# {manifest['name']} {manifest['version']}",
        manifest["summary"],
        "## Trained on",
        _table(
            ["set", "source", "licence", "training windows", "dev windows"],
            [[s["name"], s["source"], s["licence"], s["train"], s["dev"]] for s in manifest["data"]],
        ),
        f"Encoder: {manifest['encoder']}. Command: `{manifest['command']}`, seed {manifest['recipe']['seed']}.",
        "## Entities, dev parts, exact span and type",
        "A set is scored on what it marks: found mentions of a type that it does not mark count neither way, and a "
        "mention that it leaves between product, event and other counts as right with any of them.",
    ]
    for name, scores in metrics["entities"].items():
        parts += [f"### {name}", _scores(scores, "type")]
    parts += [
        "## Relations, dev parts, gold mentions",
        "Pairs of mentions in the same or neighbouring sentences of one window. Pairs whose entities are related "
        "somewhere in the document, but not by the evidence here, count neither way. The thresholds were tuned on "
        "these same pairs, so these scores flatter; relations with little support are not reliable.",
        _scores(metrics["relations"], "relation"),
        "## int8 against fp32",
        _table(
            ["", "fp32", "int8"],
            [
                ["entities, all sets, F1", metrics["fp32"]["entities"], metrics["int8"]["entities"]],
                ["relations, F1", metrics["fp32"]["relations"], metrics["int8"]["relations"]],
            ],
        ),
        "## Limits",
        manifest["limits"],
    ]
    return "\n\n".join(parts) + "\n"


def _scores(scores: Mapping[str, Mapping[str, float]], first: str) -> str:
    rows = [[name, s["precision"], s["recall"], s["f1"], s["support"]] for name, s in scores.items() if s["support"]]
    rows.sort(key=lambda row: (row[0] == "all", -float(str(row[4]))))
    return _table([first, "precision", "recall", "F1", "support"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in lines)
