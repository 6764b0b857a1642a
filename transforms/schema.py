"""The schema: which entity and relation types there are, read from one YAML file.

A schema maps the tagger's labels to entity types, says which relations may join which types, and supplies the
names that become labels and relationship types in the graph. Nothing else ever does. With `single: true`, each mention
of an entity type is a thing of its own (a patient, an unnamed ship). So is an event, which is told by its trigger; its
roles are relations from it. `like` says how mentions are read: a Person's name without titles, an Organisation's
without its legal form, a Date, Money or a Number as a value; a type with this name or only this label need not say so.
Finer types are told by their descriptions, of which one line is enough:

    entities:
      Customer: {labels: [CUST], like: Organisation}
      Organisation: {description: "A company, authority or team.", subtypes: {University: "A university or college."}}
    events:
      Acquisition:
        description: "One company takes over another."
        roles: {BUYER: {tail: [Organisation]}, TARGET: {tail: [Organisation]}, WHEN: {tail: [Date]}}

So are relations, by the phrases that tell them (`phrases`); `words` are names for what several phrases share:

    words: {buys: "buys|bought|[has] acquired|took over"}
    relations:
      OWNED_BY: {head: [Organisation], tail: [Organisation], phrases: ["{tail} {buys} {head}", "{head} of {tail}"]}
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

from transforms.phrases import PhraseError, Wording, Wordings, compiled, expand
from transforms.user_files import YamlError, cut, read_yaml, unknown_field

DEFAULT_SCHEMA = Path(__file__).parent / "schemas" / "enterprise.yaml"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

#: How the mentions of a type may be read, if not as plain names.
KINDS = ("Person", "Organisation", "Date", "Money", "Number")
#: The fields of a schema, and of what it lists.
_SCHEMA = ("name", "entities", "events", "relations", "words")
_ENTITY = ("description", "labels", "single", "like", "subtypes")
_EVENT = (*_ENTITY, "roles")
_SUBTYPE = ("description", "subtypes")
_ROLE = ("description", "tail", "phrases", "implies")
_RELATION = ("head", "symmetric", *_ROLE)


_NO_WORDINGS = Wordings(())


class SchemaError(ValueError):
    """A schema file that cannot be used: names the file, the field and the remedy."""


@dataclass(frozen=True)
class EntityType:
    """A type of entity and the model labels that mean it.

    Of a `single` type, each mention is a thing of its own: two texts that say "a patient" speak of two, where two that
    say "Acme" speak of one company. So are events, which are told by their trigger.
    """

    name: str
    description: str
    labels: frozenset[str]
    single: bool = False
    event: bool = False
    subtypes: tuple[Subtype, ...] = ()
    like: str = ""  # one of `KINDS`, or plain names


@dataclass(frozen=True)
class Subtype:
    """A finer type, told from its description alone (`typing`): no model has a label for it."""

    name: str
    description: str
    subtypes: tuple[Subtype, ...] = ()


@dataclass(frozen=True)
class RelationType:
    """A type of relation, its domain (head types) and range (tail types), and the phrases that tell it.

    Where it is stated, the more general relations that it `implies` go without saying. A `symmetric` one is stated
    once, whichever of the two a text names first.
    """

    name: str
    description: str
    head: frozenset[str]
    tail: frozenset[str]
    phrases: tuple[str, ...] = ()
    implies: frozenset[str] = frozenset()
    symmetric: bool = False


class Kinds(dict[str, str]):
    """Entity type → how its mentions are read: one of `KINDS`, or plainly (""); if of no schema, as it is called."""

    def __missing__(self, name: str) -> str:
        return name


@dataclass(frozen=True)
class Schema:
    """Entity and relation types by name, in the file's order; the types and roles of events among them."""

    name: str
    entities: Mapping[str, EntityType]
    relations: Mapping[str, RelationType]

    @cached_property
    def events(self) -> frozenset[str]:
        """Names of the entity types that are events."""
        return frozenset(name for name, entity in self.entities.items() if entity.event)

    @cached_property
    def single(self) -> frozenset[str]:
        """Names of the entity types whose mentions are each a thing of its own; events among them."""
        return frozenset(name for name, entity in self.entities.items() if entity.single)

    @cached_property
    def type_of_label(self) -> dict[str, str]:
        """Model label → entity type."""
        return {label: entity.name for entity in self.entities.values() for label in entity.labels}

    @cached_property
    def kinds(self) -> Kinds:
        """How the mentions of each entity type are read."""
        return Kinds((name, entity.like) for name, entity in self.entities.items())

    @cached_property
    def has_phrases(self) -> bool:
        """Whether any relation is told by phrases."""
        return any(found.phrases for found in self.relations.values())

    def between(self, first: str, second: str) -> Wordings:
        """The phrases that may tell a relation between mentions of these types, in the order of the text."""
        return self._wordings.get((first, second), _NO_WORDINGS)

    @cached_property
    def _wordings(self) -> dict[tuple[str, str], Wordings]:
        by_types: dict[tuple[str, str], list[Wording]] = {}
        for found in self.relations.values():
            for phrase in found.phrases:
                wording = compiled(found.name, phrase)
                for pair in product(found.head, found.tail):
                    by_types.setdefault(pair if wording.head_first else pair[::-1], []).append(wording)
        return {pair: Wordings(wordings) for pair, wordings in by_types.items()}

    @cached_property
    def joined(self) -> frozenset[tuple[str, str]]:
        """(head type, tail type) that some relation may join."""
        return frozenset((h, t) for relation in self.relations.values() for h in relation.head for t in relation.tail)

    def allows(self, relation: str, head: str, tail: str) -> bool:
        """Whether `relation` exists and may join these entity types."""
        found = self.relations.get(relation)
        return found is not None and head in found.head and tail in found.tail


def load_schema(path: str | Path | None = None) -> Schema:
    """Read a schema file; the default one without a path.

    Raises:
        SchemaError: the file cannot be read, is not YAML, or a field is unknown, missing, doubled or wrong.
    """
    path = Path(path or DEFAULT_SCHEMA)
    try:
        content = read_yaml(path)
    except YamlError as error:
        raise SchemaError(str(error)) from error
    return parse_schema(content, str(path))


def parse_schema(content: object, where: str) -> Schema:
    """Check a schema's content. `where` names it in errors.

    Raises:
        SchemaError: a field is unknown, missing or wrong.
    """
    if isinstance(content, dict):
        _known(content, _SCHEMA, where)
    if not isinstance(content, dict) or not isinstance(content.get("entities"), dict):
        raise SchemaError(f"{where}: field 'entities' is missing; list the entity types under it")
    entities = {name: _entity(name, row, where) for name, row in _named(content["entities"], "entities", where)}
    events = _section(content, "events", where, "'roles'")
    for name, row in _named(events, "events", where):
        if name in entities:
            raise SchemaError(f"{where}: field 'events.{name}': an entity type has this name; rename one")
        entities[name] = _entity(name, row, where, event=True)
    _check_subtypes(entities, where)
    owners: dict[str, str] = {}
    for entity in entities.values():
        for label in entity.labels:
            if owners.setdefault(label, entity.name) != entity.name:
                raise SchemaError(
                    f"{where}: field 'entities.{entity.name}.labels': {label!r} already means "
                    f"{owners[label]}; give each label to one type"
                )
    given = _section(content, "relations", where, "'head' and 'tail'")
    words = dict(_words(_section(content, "words", where, "its alternatives"), where))
    relations = {name: _relation(name, row, entities, where, words) for name, row in _named(given, "relations", where)}
    for event, row in events.items():
        roles = _section(row, "roles", f"{where}: field 'events.{event}'", "'tail'")
        for name, role in _named(roles, f"events.{event}.roles", where):
            filled = role
            if isinstance(role, dict):
                _known(role, _ROLE, f"{where}: field 'events.{event}.roles.{name}'")
                filled = {**role, "head": [event]}
            found = _relation(name, filled, entities, where, words)
            relations[name] = _widened(relations.get(name), found)
    _check_symmetric(relations, where)
    _check_implied(relations, where)
    return Schema(str(content.get("name") or Path(where).stem), entities, relations)


def _section(content: object, name: str, where: str, needed: str) -> dict[object, object]:
    given = (content.get(name) if isinstance(content, dict) else None) or {}
    if not isinstance(given, dict):
        raise SchemaError(f"{where}: field {name!r}: expected types by name, each with {needed}")
    return given


def _known(row: Mapping[object, object], fields: tuple[str, ...], place: str) -> None:
    """Refuse fields that are none of `fields`: what they tell would be missing."""
    if problem := unknown_field(row, fields):
        raise SchemaError(f"{place}: {problem}")


def _words(given: Mapping[object, object], where: str) -> Iterator[tuple[str, str]]:
    for name, text in given.items():
        if not isinstance(name, str) or not isinstance(text, str):
            wanted = "put the name in quotes" if isinstance(text, str) else "expected one text, as in 'is|was|has been'"
            raise SchemaError(f"{where}: field {cut(f'words.{name}')!r}: {wanted}")
        yield name, text


def _widened(known: RelationType | None, role: RelationType) -> RelationType:
    """One role of several events is one type, from any of them to what any of them may have in it."""
    if known is None:
        return role
    description = known.description or role.description
    phrases, implies = (*known.phrases, *role.phrases), known.implies | role.implies
    head, tail = known.head | role.head, known.tail | role.tail
    return RelationType(role.name, description, head, tail, phrases, implies, known.symmetric)


#: Labels and relationship types that the graph model uses itself (docs/graph-model.md), or a server does: V and E are
#: ArcadeDB's. They are one list because a server may keep both in one namespace, as ArcadeDB does.
RESERVED = frozenset(
    {"Entity", "Document", "Statement", "Evidence", "Alias", "PastEvidence", "PastMention", "Source", "TripleflowMeta"}
    | {"HEAD", "TAIL", "SUPPORTS", "FROM", "MENTIONED_IN", "ATTACHED_TO", "V", "E"}
)
_FOLDED = {name.casefold(): name for name in RESERVED}


def _named(rows: Mapping[object, object], section: str, where: str) -> Iterator[tuple[str, object]]:
    for name, row in rows.items():
        place = f"{where}: field {cut(f'{section}.{name}')!r}"
        if not isinstance(name, str):
            raise SchemaError(f"{place}: YAML reads this name as a {type(name).__name__}; put it in quotes")
        check_name(name, place)
        if name.casefold() in _FOLDED:
            raise SchemaError(f"{place}: {_FOLDED[name.casefold()]!r} is a name of the graph's own; choose another")
        yield name, row


def _entity(name: str, row: object, where: str, *, event: bool = False) -> EntityType:
    place = f"{'events' if event else 'entities'}.{name}"
    fields = {} if row is None else row
    if not isinstance(fields, dict):
        raise SchemaError(f"{where}: field '{place}': expected fields, as in {{description: \"What it is.\"}}")
    _known(fields, _EVENT if event else _ENTITY, f"{where}: field '{place}'")
    labels = fields.get("labels") or [name]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise SchemaError(
            f"{where}: field '{place}.labels': expected a list of labels; put numbers and yes/no in quotes"
        )
    single = fields.get("single", event)
    if not isinstance(single, bool) or (event and not single):
        raise SchemaError(f"{where}: field '{place}.single': expected true or false; an event is always single")
    subtypes = tuple(_subtypes(fields, place, where))
    description = str(fields.get("description") or "")
    if subtypes and not description:
        raise SchemaError(f"{where}: field '{place}.description': its subtypes are told from it; describe it")
    like = fields.get("like", next((kind for kind in KINDS if name == kind or labels == [kind]), ""))
    if like not in ("", *KINDS):
        raise SchemaError(f"{where}: field '{place}.like': expected one of {', '.join(KINDS)}")
    return EntityType(name, description, frozenset(labels), single, event, subtypes, like)


def _subtypes(fields: Mapping[str, object], place: str, where: str) -> Iterator[Subtype]:
    """Subtypes by name, each a description or `{description: …, subtypes: …}`."""
    given = fields.get("subtypes") or {}
    if not isinstance(given, dict):
        raise SchemaError(f"{where}: field '{place}.subtypes': expected descriptions by name")
    for name, row in _named(given, f"{place}.subtypes", where):
        inner = row if isinstance(row, dict) else {"description": row}
        _known(inner, _SUBTYPE, f"{where}: field '{place}.subtypes.{name}'")
        description = inner.get("description")
        if not isinstance(description, str) or not description.strip():
            raise SchemaError(f"{where}: field '{place}.subtypes.{name}': say in a few words what such a thing is")
        yield Subtype(name, description, tuple(_subtypes(inner, f"{place}.subtypes.{name}", where)))


def with_subtypes(types: Iterable[EntityType | Subtype]) -> Iterator[EntityType | Subtype]:
    """Types, each followed by its subtypes and theirs."""
    for found in types:
        yield found
        yield from with_subtypes(found.subtypes)


def _check_subtypes(entities: Mapping[str, EntityType], where: str) -> None:
    seen: set[str] = set()
    for found in with_subtypes(entities.values()):
        if found.name in seen:
            raise SchemaError(f"{where}: field 'subtypes': {found.name!r} is named twice; a type has one place")
        seen.add(found.name)


def _check_symmetric(relations: Mapping[str, RelationType], where: str) -> None:
    for name, found in relations.items():
        if found.symmetric and found.head != found.tail:
            raise SchemaError(f"{where}: field 'relations.{name}.symmetric': head and tail differ; list the same types")


def _check_implied(relations: Mapping[str, RelationType], where: str) -> None:
    for name, found in relations.items():
        place = f"{where}: field 'relations.{name}.implies'"
        if missing := found.implies - relations.keys():
            raise SchemaError(f"{place}: no relation {cut(min(missing))!r}; define it, or leave it out")
        above, seen = set(found.implies), set[str]()
        while above:
            seen |= above
            above = {general for other in above for general in relations[other].implies & relations.keys()} - seen
        if name in seen:
            raise SchemaError(f"{place}: in a circle, it implies itself, and neither would be stated; mend one of them")


def _relation(
    name: str, row: object, entities: Mapping[str, EntityType], where: str, words: Mapping[str, str]
) -> RelationType:
    place = f"{where}: field 'relations.{name}'"
    if name in entities:
        raise SchemaError(f"{place}: an entity type has this name, and some servers keep both in one list; rename it")
    if not isinstance(row, dict):
        raise SchemaError(f"{place}: expected 'head' and 'tail', each a list of entity types")
    _known(row, _RELATION, place)
    sides = []
    for side in ("head", "tail"):
        types = row.get(side)
        if not isinstance(types, list) or not types:
            raise SchemaError(f"{place}.{side}: expected a list of entity types")
        for kind in types:
            if not isinstance(kind, str) or kind not in entities:
                near = difflib.get_close_matches(str(kind), entities, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "; define it under 'entities'"
                raise SchemaError(f"{place}.{side}: no entity type {cut(str(kind))!r}{hint}")
        sides.append(frozenset(map(str, types)))
    phrases = tuple(_phrases(row.get("phrases") or [], place, words))
    implies = row.get("implies") or []
    if not isinstance(implies, list) or not all(isinstance(other, str) and other != name for other in implies):
        raise SchemaError(f"{place}.implies: expected a list of other relations")
    symmetric = row.get("symmetric", False)
    if not isinstance(symmetric, bool):
        raise SchemaError(f"{place}.symmetric: expected true or false")
    description = str(row.get("description") or "")
    return RelationType(name, description, sides[0], sides[1], phrases, frozenset(implies), symmetric)


def _phrases(given: object, place: str, words: Mapping[str, str]) -> Iterator[str]:
    """Phrases with their `words` written out."""
    if not isinstance(given, list):
        raise SchemaError(f"{place}.phrases: expected a list, as in ['{{head}} works for {{tail}}']")
    for text in given:
        phrase = expand(str(text), words)
        try:
            compiled("", phrase)
        except PhraseError as error:
            raise SchemaError(f"{place}.phrases: {cut(str(text))!r}: {error}") from error
        yield phrase


def check_name(name: str, place: str) -> None:
    """Refuse a name that cannot be a label or a relationship type. `place` begins the error.

    Raises:
        SchemaError: it has other characters than letters, digits and _, or too many.
    """
    if not _NAME.fullmatch(name):
        raise SchemaError(f"{place}: a name is a letter, then letters, digits or _ (64 at most); rename it")
