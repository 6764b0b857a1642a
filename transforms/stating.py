"""State: resolved documents → statements about entities, each with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from transforms.addresses import addressed
from transforms.correspondents import writing
from transforms.countries import is_country
from transforms.dealings import dealings
from transforms.patterns import is_numbered_street
from transforms.profiles import profiled
from transforms.records import Analysis, Entity, Evidence, Relation, Resolved, Statement, Structured
from transforms.rosters import listed
from transforms.schema import Schema
from transforms.signatures import signed
from transforms.telling import tell

#: Characters of a piece of evidence. A sentence of a text without full stops may hold thousands of statements, and
#: each would carry all of it.
LONGEST = 2_000
#: Of these, a date or a place that is mentioned once tells one thing.
_OF_ONE = frozenset({"BORN_IN", "BORN_ON", "DIED_ON", "DISSOLVED_ON", "FOUNDED_ON", "HEADQUARTERS"})
_COUNTRY = "COUNTRY"
#: What adds relations between mentions (by index), given the types of their entities.
Rule = Callable[[Analysis, Mapping[int, str], Schema], Iterable[Relation]]
_RULES: tuple[Rule, ...] = (signed, writing, listed, dealings, profiled)


def state(resolved: Resolved, schema: Schema) -> Structured:
    """Lift relations between mentions to statements between entities.

    What the schema's phrases tell is added (`telling`), and what addresses, signatures and rosters do. Evidence is the
    text from the first to the last sentence that the two mentions touch, or what of it stands around them if that is
    over `LONGEST`. Of several relations that give the same evidence, the surest is kept; a passage that holds a shorter
    one for the same statement is dropped. So is a relation whose entities' types the schema does not join (resolving or
    linking may have changed a type), one that another of the same entities implies, another country than the one that
    stands right behind a place ("Köln, Germany"), where else a street lies than an address says, and one of whose tail
    a phrase tells that it is another's.
    """
    analysis = resolved.analysis
    owner = {mention: entity for entity in resolved.entities for mention in entity.mentions}
    statements: dict[str, Statement] = {}
    evidence: dict[str, Evidence] = {}
    for relation, head, tail in _holding(analysis, owner, schema):
        statement = Statement(Statement.make_id(head.id, relation.name, tail.id), head.id, relation.name, tail.id)
        model = relation.origin or analysis.model
        found = _evidence(analysis, statement.id, relation.head, relation.tail, relation.confidence, model)
        statements[statement.id] = statement
        if found.id not in evidence or evidence[found.id].confidence < found.confidence:
            evidence[found.id] = found
    implied = _implied(statements.values(), schema)
    pieces = _shortest(piece for piece in evidence.values() if piece.statement not in implied)
    return Structured(
        resolved,
        tuple(sorted((s for s in statements.values() if s.id not in implied), key=lambda s: s.id)),
        tuple(sorted(pieces, key=lambda e: e.id)),
    )


def _holding(
    analysis: Analysis, owner: Mapping[int, Entity], schema: Schema
) -> Iterator[tuple[Relation, Entity, Entity]]:
    """Relations of the model and of the rules, with the entities that they join, of which nothing says otherwise."""
    types = {mention: entity.type for mention, entity in owner.items()}
    told = tell(analysis, types, schema)
    at = [*addressed(analysis, types, schema)]
    others = chain.from_iterable(rule(analysis, types, schema) for rule in _RULES)
    found = _unless_told(_unless_addressed(analysis, at, owner, schema), told, owner)
    for relation in (*found, *told, *at, *others):
        head, tail = owner.get(relation.head), owner.get(relation.tail)
        if head is None or tail is None or head.id == tail.id:
            continue
        if not schema.allows(relation.name, head.type, tail.type):
            continue
        if _ends(schema, relation.name, head.id, tail.id) != (head.id, tail.id):
            relation, head, tail = replace(relation, head=relation.tail, tail=relation.head), tail, head
        yield relation, head, tail


def _ends(schema: Schema, relation: str, head: str, tail: str) -> tuple[str, str]:
    """Head and tail as they are stated: by their ids' order, if the relation holds both ways."""
    return (tail, head) if schema.relations[relation].symmetric and tail < head else (head, tail)


def _unless_addressed(
    analysis: Analysis, told: Iterable[Relation], owner: Mapping[int, Entity], schema: Schema
) -> Iterator[Relation]:
    """The model's, but that a street lies elsewhere than an address tells, or a town ("Köln, Germany") in any other
    country than stands right behind it.
    """
    lying = {_COUNTRY, *(schema.relations[_COUNTRY].implies if _COUNTRY in schema.relations else ())}
    streets, countries = set[str](), dict[str, str]()
    for relation in told:
        head, tail = owner[relation.head].id, owner[relation.tail].id
        if is_numbered_street(analysis.mentions[relation.head].text):
            streets.add(head)
        elif relation.name == _COUNTRY:
            countries[head] = tail
    for relation in analysis.relations:
        if relation.name in lying and {relation.head, relation.tail} <= owner.keys():
            head, tail = owner[relation.head].id, owner[relation.tail].id
            abroad = countries.get(head, tail) != tail and is_country(analysis.mentions[relation.tail].text)
            if head in streets or abroad:
                continue
        yield relation


def _unless_told(
    relations: Iterable[Relation], told: Iterable[Relation], owner: Mapping[int, Entity]
) -> Iterator[Relation]:
    """Without those of which a phrase tells another head: "Acme, a unit of Bravo, based in Leeds" is of Bravo."""
    heads = {(relation.name, relation.tail): relation.head for relation in told if relation.name in _OF_ONE}
    for relation in relations:
        head = heads.get((relation.name, relation.tail), relation.head)
        if owner.get(head) == owner.get(relation.head):
            yield relation


def _implied(statements: Iterable[Statement], schema: Schema) -> set[str]:
    """Ids of what goes without saying where these are stated."""
    return {
        Statement.make_id(head, general, tail)
        for s in statements
        for general in schema.relations[s.relation].implies
        for head, tail in (_ends(schema, general, s.head, s.tail),)
    }


def _shortest(evidence: Iterable[Evidence]) -> Iterator[Evidence]:
    """Without the pieces that hold a shorter piece for the same statement by the same model."""
    groups: dict[tuple[str, str], list[Evidence]] = {}
    for piece in evidence:
        groups.setdefault((piece.statement, piece.model), []).append(piece)
    for pieces in groups.values():
        # In the order of their ends, a passage holds an earlier one if it does not begin after all of them.
        latest, shortest = -1, set[tuple[int, int]]()
        for start, end in sorted({(p.start, p.end) for p in pieces}, key=lambda place: (place[1], -place[0])):
            if start > latest:
                latest = start
                shortest.add((start, end))
        yield from (piece for piece in pieces if (piece.start, piece.end) in shortest)


def _evidence(analysis: Analysis, statement: str, head: int, tail: int, confidence: float, model: str) -> Evidence:
    document, first, second = analysis.document, analysis.mentions[head], analysis.mentions[tail]
    spans = [analysis.sentences[mention.sentence] for mention in (first, second)]
    inner = min(first.start, second.start), max(first.end, second.end)
    start, end = min(spans[0][0], spans[1][0], inner[0]), max(spans[0][1], spans[1][1], inner[1])
    if end - start > LONGEST:
        room = max(0, LONGEST - (inner[1] - inner[0])) // 2
        start, end = max(start, inner[0] - room), min(end, inner[1] + room)
    return Evidence(
        Evidence.make_id(statement, first.id(document.id), second.id(document.id), model),
        statement,
        document.id,
        start,
        end,
        _cut(document.text, start, end),
        first.start,
        first.end,
        second.start,
        second.end,
        confidence,
        model,
    )


def _cut(text: str, start: int, end: int) -> str:
    """A piece of text; of two mentions that stand too far apart, what is between is left out."""
    half = LONGEST // 2
    return text[start:end] if end - start <= LONGEST else f"{text[start : start + half - 1]}…{text[end - half : end]}"
