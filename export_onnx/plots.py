"""Pictures of a model card: how the losses fell, and what each type scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
# The same numbers give the same file.
mpl.rcParams["svg.hashsalt"] = "tripleflow"
mpl.rcParams["svg.fonttype"] = "none"
from matplotlib import pyplot as plt  # noqa: E402 - after the backend is chosen

_NO_DATE = {"Date": None}


def learning_curve(epochs: Sequence[Mapping[str, float]], path: Path) -> None:
    """Mean training losses by epoch; each loss has an axis of its own, for their scales differ."""
    names = [name for name in epochs[0] if name != "epoch" and any(row[name] for row in epochs)]
    figure, axes = plt.subplots(1, len(names), figsize=(4 * len(names), 2.6), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        axis.plot([row["epoch"] for row in epochs], [row[name] for row in epochs], marker="o")
        axis.set_title(name.replace("_", " "))
        axis.set_xlabel("epoch")
        axis.set_ylim(bottom=0)
        axis.xaxis.get_major_locator().set_params(integer=True)
    _save(figure, path)


def scores_by_type(scores: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """F1 of each type or relation as a bar, the best on top, its support beside its name."""
    rows = sorted((row["f1"], f"{name} ({row['support']})") for name, row in scores.items() if row["support"])
    figure, axis = plt.subplots(figsize=(6, 0.6 + 0.22 * len(rows)))
    bars = axis.barh([label for _, label in rows], [score for score, _ in rows])
    axis.bar_label(bars, fmt="%.0f", padding=2, fontsize=7)
    axis.tick_params(labelsize=7)
    axis.set_xlim(0, 105)
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.set_xlabel("F1, dev parts (support in brackets)", fontsize=8)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata=_NO_DATE)
    plt.close(figure)
