"""Texts that mean harm, and documents that are made of nothing else."""

from __future__ import annotations

import string
from dataclasses import replace
from itertools import product

from tests.conftest import analysis
from transforms.records import Analysis, Document, Fact, Mention, Relation, Structured
from transforms.resolving import resolve
from transforms.schema import Schema
from transforms.stating import state

#: Names, each with a word that no other has. None is changed by `names.spelled`.
NAMES = (
    "Backtick `}) DETACH DELETE n //",
    "Quote' OR 1=1; MATCH (n) DETACH DELETE n; //",
    'Doubled"}) SET n:Admin WITH n MATCH (m) DELETE m //',
    "Decoded \\u0060}) DETACH DELETE n //",
    "Escaped \\' \\\" \\\\ \\n \\x60",
    "Param $rows $now {id: $id} {{0}} %s %(x)s",
    "Comment /* // -- */",
    "Call CALL db.labels() YIELD label; DROP CONSTRAINT tripleflow_entity_id",
    "Null \x00 byte",
    "Control \x1b[31mred\x1b]0;title\x07 \x9b2J \x7f \x08",
    "Override \u202eevil\u202c \u2066isolated\u2069 \u200frtl",
    "Arabic شركة النقل عبر البحار",
    "Combining Z\u0351\u036b\u0343a\u0300\u0301\u0302lgo",
    "Emoji 👩‍💻🏴‍☠️ 🇳🇴",
    "Homoglyph Асmе Ηоldіngѕ",
    "Script </script><script>window.hit=1</script><img src=x onerror='window.hit=2'>",
    "Template ${window.hit=3} {{constructor.constructor('window.hit=4')()}} <!-- <script> -->",
    "Markup [bold red]loud[/bold red] [/nothing] [link=file:///etc/passwd]here[/link]",
    "Sheet =cmd|' /C calc'!A0",
    "Null, undefined, NaN, None, true",
    "Astral 𝕬𝖈𝖒𝖊 \U0010fffd",
    "Long " + "name " * 198 + "end",
)
FIRM = "Acme `}) DETACH DELETE n //"


def uri_of(number: int, name: str) -> str:
    """Where the document of a name is said to be from."""
    return f"/in/{number} {name.replace('/', '_')}.txt"


def hostile(name: str, number: int, schema: Schema) -> Structured:
    """A document in which a person of such a name works for a firm that all of them have in common."""
    text = f"{name} works for {FIRM}. \x1b[2J"
    names = [(name, "Person"), (FIRM, "Organisation")]
    found = analysis(text, names, (Relation(0, "EMPLOYER", 1, 0.9), Relation(0, "BORN_IN`) DELETE (", 1, 0.9)))
    uri = uri_of(number, name)
    document = Document(Document.make_id(uri, text), uri, "txt`", name, "x`", text)
    # A sentence more or less does not matter here: the names hold full stops and brackets.
    whole = tuple(replace(mention, sentence=0) for mention in found.mentions)
    made = replace(found, document=document, mentions=whole, sentences=((0, len(text)),), model=f"{name}@1")
    return state(resolve(made, schema), schema)


#: 17,576 words; what compares all with all of them takes minutes over each of the following.
WORDS = ["".join(letters) for letters in product(string.ascii_lowercase, repeat=3)]


def crowd(names: list[str], kind: str, *, facts: bool = False, related: int | None = None) -> Analysis:
    """A document of one sentence that names all, with a relation of each of the first to the next."""
    ends, position = [], 0
    for name in names:
        position += len(name) + 2
        ends.append(position - 2)
    mentions = tuple(Mention(end - len(name), end, kind, name, 0.9, 0) for name, end in zip(names, ends, strict=True))
    told = tuple(Fact((0, 4), "Message", "SENT_TO", (m.start, m.end), "Person") for m in mentions[1:] if facts)
    relations = tuple(Relation(i, "COMMUNICATED_WITH", i + 1, 0.5) for i in range(related or len(names) - 1))
    text = "; ".join(names)
    document = Document("doc-crowd", "crowd.txt", "txt", "crowd", "en", text, facts=told)
    return Analysis(document, ((0, len(text)),), mentions, relations, "m@1")
