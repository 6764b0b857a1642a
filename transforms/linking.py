"""Link: a document's entities → entries of the user's register, or NIL.

Candidates come by normalised name (`names.name_key`), and by the sentence encoder's neighbourhood of the name
where no name fits. Each is scored by how well its name fits and how well its description fits the sentences that
the entity is mentioned in (the bi-encoder of Wu et al. 2020, BLINK, with an encoder that was not tuned for it).
Below `Weights.nil` an entity stays unlinked. A name of several words that the register has for just one thing is a
candidate whatever the tagger took it for; the entity takes the register's type.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from rapidfuzz import fuzz

from transforms.decoding import FloatArray
from transforms.handling import DocumentHandler
from transforms.names import folded, has_legal_form, is_short_organisation, is_short_person, is_surname, name_key
from transforms.records import SINGLE, Analysis, Entity, Resolved, is_value
from transforms.register import Register, load_register
from transforms.schema import Schema
from transforms.sentence_encoder import SentenceEncoder, load_sentence_encoder

#: Letters of a word that may be misspelled, and how alike it has to be to the right one.
_LONG, _ALIKE = 6, 0.9


@dataclass(frozen=True)
class Weights:
    """How a candidate is scored: name · (fit of the name) + context · (cosine with its description)."""

    name: float = 0.7
    context: float = 0.3
    nil: float = 0.66  # below this score, not in the register
    other_type: float = 0.95  # fit of a name that the register has for a thing of another type
    margin: float = 0.01  # two candidates closer than this are not told apart
    near: float = 0.6  # cosine of two names from which one is a candidate for the other
    most: int = 8  # candidates by neighbourhood
    contexts: int = 2  # sentences read for an entity


@dataclass(frozen=True)
class Linker:
    """A register, encoded."""

    register: Register
    encoder: SentenceEncoder
    names: FloatArray  # [N, D] every spelling of every entry
    owners: tuple[int, ...]  # [N] entry of each spelling
    descriptions: FloatArray  # [E, D]
    weights: Weights


def make_linker(register: Register, encoder: SentenceEncoder, weights: Weights = Weights()) -> Linker:
    """Encode a register's names and descriptions."""
    spellings = [(text, index) for index, entry in enumerate(register.entries) for text in entry.spellings]
    described = [f"{entry.name}: {entry.description}" for entry in register.entries]
    return Linker(
        register,
        encoder,
        encoder([text for text, _ in spellings]),
        tuple(index for _, index in spellings),
        encoder(described),
        weights,
    )


def link(linker: Linker, document: Resolved) -> Resolved:
    """Give a document's entities their register ids.

    The encoder never sees two documents at once: its int8 scales are those of the batch, so a document's links
    would depend on its neighbours.
    """
    if not linker.register.entries:
        return document
    places = [index for index, entity in enumerate(document.entities) if _linkable(entity)]
    candidates = _candidates(linker, [document.entities[index] for index in places])
    wanted = [(index, found) for index, found in zip(places, candidates, strict=True) if found]
    contexts = _contexts(linker, document.analysis, [document.entities[index] for index, _ in wanted])
    chosen: dict[int, tuple[int, float]] = {}
    for (index, found), context in zip(wanted, contexts, strict=True):
        best = _best(linker, found, context)
        if best is not None:
            chosen[index] = best
    return _linked(linker, document, chosen)


def _linkable(entity: Entity) -> bool:
    return not is_value(entity.id) and not entity.id.startswith(SINGLE)


def _candidates(linker: Linker, entities: Sequence[Entity]) -> list[dict[int, float]]:
    """Entry → fit of the name, in [0, 1], for each entity."""
    found = [_by_key(linker, entity) for entity in entities]
    missing = [row for row, exact in enumerate(found) if not exact]
    if missing:
        vectors = linker.encoder([entities[row].name for row in missing])
        for row, vector in zip(missing, vectors, strict=True):
            found[row] = _by_neighbourhood(linker, entities[row], vector)
    return found


def _by_key(linker: Linker, entity: Entity) -> dict[int, float]:
    fits: dict[int, float] = {}
    for spelling in (entity.name, *entity.aliases):
        # The document's main name counts in full, its other spellings a little less.
        fit = 1.0 if spelling == entity.name else 0.95
        for row in _spelled_so(linker.register, linker.register.find(entity.type, spelling), spelling):
            fits[row] = max(fits.get(row, 0.0), fit)
    return fits or _of_other_type(linker, entity)


def _spelled_so(register: Register, rows: tuple[int, ...], spelling: str) -> Sequence[int]:
    """Of entries that one key leads to, those with this legal form, if there are any."""
    exact = [row for row in rows if any(folded(own) == folded(spelling) for own in register.entries[row].spellings)]
    return exact or rows


def _of_other_type(linker: Linker, entity: Entity) -> dict[int, float]:
    """The one entry that is called as the entity is, in several words."""
    found = linker.register.find_any(entity.name)
    return {found[0]: linker.weights.other_type} if len(found) == 1 and " " in entity.name else {}


def _by_neighbourhood(linker: Linker, entity: Entity, vector: FloatArray) -> dict[int, float]:
    similarity = linker.names @ vector
    fits: dict[int, float] = {}
    for place in np.argsort(-similarity)[: linker.weights.most].tolist():
        entry = linker.register.entries[linker.owners[place]]
        if similarity[place] < linker.weights.near or entry.type != entity.type:
            continue
        fit = max(_name_fit(linker.register.kinds[entity.type], entity.name, spelling) for spelling in entry.spellings)
        fits[linker.owners[place]] = max(fits.get(linker.owners[place], 0.0), fit)
    return fits


def _name_fit(kind: str, name: str, spelling: str) -> float:
    """How well an entity's name fits a spelling of the register: 1 if they are one but for blanks, 0 if not at all."""
    ours, theirs = name_key(kind, name), name_key(kind, spelling)
    # "von der Leyen" may be Ursula von der Leyen; the other way round, Anna Kari Hansen is another than Kari Hansen.
    if kind == "Person" and (
        is_short_person(ours, theirs) or is_short_person(theirs, ours) or is_surname(ours, theirs)
    ):
        return 0.85
    # "Acme" may be "Acme Systems AS"; the other way round, "Acme Energy AS" is another company than "Acme".
    if kind == "Organisation" and is_short_organisation(ours, theirs) and not has_legal_form(name):
        return 0.85
    if _without_blanks(ours, folded(name)) & _without_blanks(theirs, folded(spelling)):
        return 1.0
    return _misspelled(kind, ours.split(), theirs.split())


def _without_blanks(*names: str) -> set[str]:
    return {name.replace(" ", "") for name in names}


def _misspelled(kind: str, ours: Sequence[str], theirs: Sequence[str]) -> float:
    """The likeness of two names of which one word differs, by mistake or OCR; 0 where they are two names.

    Short words and first names differ by as little as that from others: Iceland and Ireland, Kari and Karin.
    """
    if len(ours) != len(theirs):
        return 0.0
    differing = [place for place, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]]
    if len(differing) != 1 or (kind == "Person" and differing[0] == 0 and len(ours) > 1):
        return 0.0
    one, other = ours[differing[0]], theirs[differing[0]]
    alike = fuzz.ratio(one, other) / 100.0
    return alike if min(len(one), len(other)) >= _LONG and alike >= _ALIKE else 0.0


def _contexts(linker: Linker, analysis: Analysis, entities: Sequence[Entity]) -> list[FloatArray]:
    """[S, D] the sentences of each entity's first mentions; each sentence is encoded once."""
    places: dict[int, int] = {}
    rows: list[list[int]] = []
    for entity in entities:
        here = list(dict.fromkeys(analysis.mentions[m].sentence for m in entity.mentions))[: linker.weights.contexts]
        rows.append([places.setdefault(sentence, len(places)) for sentence in here])
    spans = [analysis.sentences[sentence] for sentence in places]
    vectors = linker.encoder([analysis.document.text[start:end] for start, end in spans])
    return [vectors[here] for here in rows]


def _best(linker: Linker, found: Mapping[int, float], context: FloatArray) -> tuple[int, float] | None:
    weights = linker.weights
    scores = []
    for row, fit in found.items():
        cosine = float((context @ linker.descriptions[row]).max())
        scores.append((weights.name * fit + weights.context * max(cosine, 0.0), row))
    scores.sort(reverse=True)
    score, row = scores[0]
    tied = len(scores) > 1 and score - scores[1][0] < weights.margin
    return None if score < weights.nil or tied else (row, round(score, 4))


def _linked(linker: Linker, document: Resolved, chosen: Mapping[int, tuple[int, float]]) -> Resolved:
    """Set the ids; entities that turn out to be the same entry become one."""
    entities: dict[str, list[Entity]] = defaultdict(list)
    for index, entity in enumerate(document.entities):
        if index in chosen:
            row, score = chosen[index]
            entry = linker.register.entries[row]
            subtypes = entity.subtypes if entity.type == entry.type else ()
            entity = replace(entity, id=entry.id, name=entry.name, register_id=entry.id, link_score=score)
            entity = replace(entity, type=entry.type, subtypes=subtypes)
        entities[entity.id].append(entity)
    return Resolved(
        document.analysis, tuple(_joined(found) if len(found) > 1 else found[0] for found in entities.values())
    )


def _joined(found: Sequence[Entity]) -> Entity:
    return replace(
        found[0],
        aliases=tuple(sorted({alias for one in found for alias in one.aliases})),
        mentions=tuple(sorted({mention for one in found for mention in one.mentions})),
        link_score=max(one.link_score or 0.0 for one in found),
    )


def link_handler(register: str, schema: Schema, *, clocked: bool = False) -> DocumentHandler[Linker]:
    """What RunInference runs; it reads and encodes the register once a process."""
    return DocumentHandler("link", partial(_load, register, schema), link, clocked=clocked)


def _load(register: str, schema: Schema) -> Linker:
    return make_linker(load_register(register, schema), load_sentence_encoder())
