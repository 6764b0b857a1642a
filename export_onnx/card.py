"""The model card: what a bundle was trained on and what it scored, from its manifest alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from export_onnx.plots import learning_curve, scores_by_type
from transforms.bundle import check_task, verify

CARD = "MODEL_CARD.md"


CURVE, ENTITIES, RELATIONS = "learning-curve.svg", "entities.svg", "relations.svg"


def write_card(bundle: Path) -> Path:
    """Write a bundle's card and its pictures beside its manifest; returns the card's path.

    Raises:
        BundleError: the bundle is broken, or for a task that has no card.
    """
    found = verify(bundle)
    if found.task == "typing":
        return _write_typing_card(bundle, found.content)
    check_task(found)
    manifest = found.content
    metrics = manifest["metrics"]
    if manifest.get("curve"):
        learning_curve(manifest["curve"], bundle / CURVE)
    scores_by_type(_all_sets(metrics["entities"]), bundle / ENTITIES)
    if manifest["relations"]:
        scores_by_type(metrics["found"], bundle / RELATIONS)
    (bundle / CARD).write_text(model_card(manifest), encoding="utf-8")
    return bundle / CARD


def _all_sets(entities: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Every set's types; with the set's name, if there are several sets."""
    return {
        f"{kind}, {name}" if len(entities) > 1 else kind: scores
        for name, by_type in entities.items()
        for kind, scores in by_type.items()
    }


def model_card(manifest: Mapping[str, Any]) -> str:
    """Markdown."""
    metrics = manifest["metrics"]
    parts = [
        *_head(manifest),
        f"![how the losses fell]({CURVE})" if manifest.get("curve") else "",
        "## Entities, dev parts, exact span and type",
        f"![F1 by type]({ENTITIES})",
        "A set is scored on what it marks: found mentions of a type that it does not mark count neither way, and a "
        "mention that it leaves open between several types counts as right with any of them.",
    ]
    for name, scores in metrics["entities"].items():
        parts += [f"### {name}", _scores(scores, "type")]
    compared = [["entities, all sets, F1", metrics["fp32"]["entities"], metrics["int8"]["entities"]]]
    if manifest["relations"]:
        parts += [
            "## Relations, dev parts, gold mentions",
            "Pairs of mentions that stand near each other in one window. Pairs whose entities are related somewhere in "
            "the document, but not by the evidence here, count neither way. The thresholds were tuned on these same "
            "pairs, so these scores flatter; relations with little support are not reliable.",
            _scores(metrics["relations"], "relation"),
            "## Relations, dev parts, from the text alone",
            "As the pipeline finds them: right if the relation, and both mentions with their types, are.",
            f"![F1 by relation]({RELATIONS})",
            _scores(metrics["found"], "relation"),
        ]
        if "documents" in metrics:
            parts += [
                "## Relations of whole documents, dev parts, gold entities",
                "Facts: a relation between two entities, wherever in the document it is stated. Evidence: sentences "
                "of facts; those of which the set gives none are left out.",
                _scores(metrics["documents"], ""),
            ]
        compared.append(["relations on gold mentions, F1", metrics["fp32"]["relations"], metrics["int8"]["relations"]])
    parts += ["## int8 against fp32", _table(["", "fp32", "int8"], compared)]
    if manifest["limits"]:
        parts += ["## Limits", manifest["limits"]]
    return "\n\n".join(part for part in parts if part) + "\n"


def _write_typing_card(bundle: Path, manifest: Mapping[str, Any]) -> Path:
    metrics = manifest["metrics"]
    by_type = [
        [name, row["trained"], row.get("left out", ""), row["support"]] for name, row in metrics["by type"].items()
    ]
    kinds = ("trained", "left out", "encoder", "commonest")
    parts = [
        *_head(manifest),
        "## Names of dev parts",
        "Of the types that a set tells apart under one type of the schema, and that type itself, the right one, in per "
        f"cent of {metrics['names']} names ({metrics['of subtypes']} of them of a subtype). Left out: by towers that "
        "were trained without that type, as are the types that you describe. Encoder: without the tower. Commonest: "
        "always the commonest of the choices.",
        _table(
            ["names", *(kind for kind in kinds)],
            [
                ["all", *(metrics["accuracy"].get(kind, "") for kind in kinds)],
                ["of subtypes", *(metrics["subtypes"][kind] for kind in kinds)],
            ],
        ),
        _table(["type", "trained", "left out", "support"], by_type),
        "## Limits",
        manifest["limits"],
    ]
    (bundle / CARD).write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return bundle / CARD


def _head(manifest: Mapping[str, Any]) -> list[str]:
    return [
        f"# {manifest['name']} {manifest['version']}",
        manifest["summary"],
        "## Trained on",
        _table(
            ["set", "source", "licence", "training texts", "dev texts"],
            [[s["name"], s["source"], s["licence"], s["train"], s["dev"]] for s in manifest["data"]],
        ),
        f"Encoder: {manifest['encoder']}. Command: `{manifest['command']}`, seed {manifest['recipe']['seed']}.",
    ]


def _scores(scores: Mapping[str, Mapping[str, float]], first: str) -> str:
    rows = [[name, s["precision"], s["recall"], s["f1"], s["support"]] for name, s in scores.items() if s["support"]]
    rows.sort(key=lambda row: (row[0] == "all", -float(str(row[4]))))
    return _table([first, "precision", "recall", "F1", "support"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in lines)
