"""A schema file for what a user's data hold, so that their bundle brings its own."""

from __future__ import annotations

import re
from typing import Any

from export_onnx.examples import LabelSpace
from transforms.schema import RESERVED

#: Labels that many data sets have → how their mentions are read (see `transforms.schema`).
_LIKE = {
    **dict.fromkeys(("per", "person", "people"), "Person"),
    **dict.fromkeys(("org", "organisation", "organization", "company", "corporation"), "Organisation"),
    **{"date": "Date", "money": "Money", "number": "Number", "cardinal": "Number", "quantity": "Number"},
}
_UNFIT = re.compile(r"[^A-Za-z0-9_]+")


def schema_of_data(name: str, space: LabelSpace) -> dict[str, Any]:
    """Every type with the label that means it, every relation with the types that the data join by it.

    A label that cannot be a name in the graph (a hyphen, a name of the graph's own) gets one that can.

    Raises:
        ValueError: two labels would get one name, or a relation's name is none of a graph's, or the data have no such
            relation; says which.
    """
    names: dict[str, str] = {}
    for label in space.types:
        fit = fit_name(label)
        if fit in names.values():
            raise ValueError(f"label {label!r}: another label has the name {fit} too; map one of them under 'labels'")
        names[label] = fit
    relations: dict[str, Any] = {}
    for relation in space.relations:
        if fit_name(relation) != relation or relation in names.values():
            raise ValueError(
                f"relation {relation!r}: not fit to be a relationship type, or a type's name too; "
                "give it another under 'rename'"
            )
        joined = [(names[head], names[tail]) for head, other, tail in sorted(space.joined) if other == relation]
        if not joined:
            raise ValueError(f"field 'relations': no example has {relation!r}; take it out, or add data that have it")
        heads, tails = zip(*joined, strict=True)
        relations[relation] = {"head": sorted(set(heads)), "tail": sorted(set(tails))}
    return {
        "name": name,
        "entities": {fit: _entity(label, fit) for label, fit in names.items()},
        "relations": relations,
    }


def _entity(label: str, fit: str) -> dict[str, Any]:
    like = _LIKE.get(label.casefold())
    return ({} if fit == label else {"labels": [label]}) | ({"like": like} if like not in (None, fit) else {})


def fit_name(label: str) -> str:
    """The label as a name of the graph: letters, digits and _, a letter first, and not one of the graph's own."""
    fit = _UNFIT.sub("_", label).strip("_")[:60] or "Type"
    fit = fit if fit[0].isalpha() else f"T_{fit}"
    return f"{fit}_" if fit.casefold() in {name.casefold() for name in RESERVED} else fit
