"""The records that flow between the stages, and their keys.

Every key is a hash of what it names, never of when or where it was made: a replay, a retry or a second worker
makes the same keys. All offsets are characters of `Document.text`, end exclusive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

#: How mentions of values are read (see `schema`): two of one type are one entity if their values are.
VALUE_TYPES = frozenset({"Date", "Money", "Number"})
_VALUE, _DIGITS = "val", 32
#: Begin the ids of messages, events and the like: each is a thing of its own, whatever others are called.
SINGLE = ("msg-", "own-")


def key(prefix: str, *parts: object) -> str:
    """A short stable key: the prefix and 128 bits of SHA-256 over the parts, each closed off from the next."""
    encoded = [str(part).encode("utf-8", "surrogatepass") for part in parts]
    closed = b"".join([len(part).to_bytes(8, "big") + part for part in encoded])
    return f"{prefix}-{hashlib.sha256(closed).hexdigest()[:_DIGITS]}"


def value_key(kind: str, text: str) -> str:
    """The id of a value of an entity type."""
    return key(_VALUE, kind, text)


def is_value(entity: str) -> bool:
    """Whether an entity (id) is a value, whatever its type is called."""
    return entity.startswith(f"{_VALUE}-") and len(entity) == len(_VALUE) + 1 + _DIGITS


@dataclass(frozen=True, slots=True)
class Blob:
    """An input as it was found: bytes of one file, or of one attachment of a mail."""

    uri: str
    content: bytes
    parent: str | None = None  # id of the document that this was attached to
    depth: int = 0  # mails that this is attached in; each adds "#" and a name without "#" to the URI

    @property
    def source(self) -> str:
        """The input file that this is, or is in."""
        return self.uri.rsplit("#", self.depth)[0]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a document's own headers say, with the two spans that say it."""

    head: tuple[int, int]
    head_type: str
    relation: str
    tail: tuple[int, int]
    tail_type: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document's text, and where it came from."""

    id: str
    uri: str
    format: str  # txt, md, html, pdf, docx, eml, image, jsonl, parquet
    title: str
    language: str  # ISO 639-1, a guess; "und" if there is too little text
    text: str
    pages: tuple[int, ...] = (0,)  # offset at which each page begins
    parent: str | None = None
    date: str | None = None  # ISO 8601, if the document itself says
    facts: tuple[Fact, ...] = ()
    ocr: bool = False
    source: str = ""  # the input file that this is, or is in; "" is the URI
    version: str = ""  # of the message that brought it, if one did: of two, the later one has the greater

    @staticmethod
    def make_id(uri: str, text: str) -> str:
        """The document's key: its source and its content."""
        return key("doc", uri, text)


@dataclass(frozen=True, slots=True)
class Retraction:
    """A message that a document is deleted, with all that was attached to it."""

    uri: str
    version: str  # as a document's


@dataclass(frozen=True, slots=True)
class Mention:
    """A span that names something, as the tagger (or a header) found it."""

    start: int
    end: int
    type: str
    text: str
    confidence: float
    sentence: int

    def id(self, document: str) -> str:
        """The mention's key."""
        return key("men", document, self.start, self.end, self.type)


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation between two mentions of one document, given by their indices."""

    head: int
    name: str
    tail: int
    confidence: float
    origin: str = ""  # what found it, if not the analysis' model


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the models found in one document."""

    document: Document
    sentences: tuple[tuple[int, int], ...]
    mentions: tuple[Mention, ...]
    relations: tuple[Relation, ...]
    model: str  # bundle name and version, "name@version"


@dataclass(frozen=True, slots=True)
class Entity:
    """Mentions of one document that name one thing; `id` is the register's, or its own if it is not there."""

    id: str
    type: str
    name: str
    aliases: tuple[str, ...]
    mentions: tuple[int, ...]  # indices of the analysis' mentions
    register_id: str | None = None
    link_score: float | None = None
    value: str | None = None  # normalised: ISO date, amount with currency, number with unit
    number: float | None = None  # the value as a number, where it is one
    unit: str | None = None
    subtypes: tuple[str, ...] = ()  # finer types, from the coarser to the finer


@dataclass(frozen=True, slots=True)
class Resolved:
    """An analysis with its mentions grouped into entities."""

    analysis: Analysis
    entities: tuple[Entity, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A fact about two entities."""

    id: str
    head: str
    relation: str
    tail: str

    @staticmethod
    def make_id(head: str, relation: str, tail: str) -> str:
        """The statement's key."""
        return key("sta", head, relation, tail)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a document states a statement: `text` is document.text[start:end] and holds both mentions.

    Of a longer one than `stating.LONGEST`, the middle is left out of `text` (…).
    """

    id: str
    statement: str
    document: str
    start: int
    end: int
    text: str
    head_start: int
    head_end: int
    tail_start: int
    tail_end: int
    confidence: float
    model: str

    @staticmethod
    def make_id(statement: str, head_mention: str, tail_mention: str, model: str) -> str:
        """The evidence's key."""
        return key("evi", statement, head_mention, tail_mention, model)


@dataclass(frozen=True, slots=True)
class Structured:
    """Everything that is written about one document."""

    resolved: Resolved
    statements: tuple[Statement, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An input that failed: the stage, the cause, and what it takes to try again."""

    id: str
    uri: str
    stage: str
    cause: str  # one line for a person
    error: str  # the exception's class
    replay: Mapping[str, str] = field(default_factory=dict)  # e.g. {"input": uri, "register": path}

    @staticmethod
    def of(uri: str, stage: str, error: BaseException, source: str | None = None) -> DeadLetter:
        """The dead letter of an exception. `source` is the input file to read again, if it is not `uri`."""
        cause = " ".join(str(error).split())[:500] or type(error).__name__
        return DeadLetter(key("dead", uri, stage), uri, stage, cause, type(error).__name__, {"input": source or uri})

    def of_message(self, place: str) -> DeadLetter:
        """The same of a message, which no run can read again: it has to be sent again."""
        return replace(self, replay={"message": place})

    def of_run(self, options: Mapping[str, str]) -> DeadLetter:
        """The same with the options of its run, if a run can read its input again."""
        return replace(self, replay={**options, **self.replay}) if "input" in self.replay else self
