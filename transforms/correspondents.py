"""Correspondents: who writes from an organisation's own address works for it.

    From: Chidinma Okonkwo <chidinma.okonkwo@larkfieldbank.example>  …  Larkfield Bank plc, 2 Aire Wharf, Leeds

Called by `stating`, as `signatures` is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping

from transforms.names import plain_letters
from transforms.records import Analysis, Relation
from transforms.schema import Schema
from transforms.signatures import WORKS_FOR

#: No open set holds any; 16 that are told of the mails of `benchmarks/business/`'s dev part and of `samples/` all hold.
_SURE = 0.9
_ADDRESS = re.compile(r"[\"']? <[^<>@\s]{1,64}@([^<>@\s]{4,200})>")  # behind a name
_SIGNS = re.compile(r"[^a-z0-9]+")
_SHORTEST = 5  # letters of a domain that say whose it is


def writing(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Relations between people whose address follows their name and whose domain that is (mentions, by index).

    A domain is an organisation's if its name begins so: "pellow-strand.co.example" is of Pellow & Strand Outfitters.
    """
    text = analysis.document.text
    if WORKS_FOR not in schema.relations or "@" not in text:
        return
    kinds = {m: schema.kinds[name] for m, name in types.items()}
    names = sorted((_letters(analysis.mentions[m].text), m) for m, kind in kinds.items() if kind == "Organisation")
    for m, kind in kinds.items():
        address = _ADDRESS.match(text, analysis.mentions[m].end) if kind == "Person" else None
        # Of "mail.acme.co.example", what is longest.
        domain = max(map(_letters, address[1].split(".")[:-1]), key=len, default="") if address else ""
        place = bisect_left(names, (domain,))
        if len(domain) >= _SHORTEST and place < len(names) and names[place][0].startswith(domain):
            yield Relation(m, WORKS_FOR, names[place][1], _SURE)


def _letters(name: str) -> str:
    return _SIGNS.sub("", plain_letters(name))
