"""The graph in plain memory: what the documents and the merges that stand make of it, and nothing of how they came."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from transforms.matching import Match
from transforms.records import Statement, Structured


class GraphModel:
    """Documents by URI, each as each model last saw it, and the merges that were not undone."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Structured]] = {}
        self.merges: dict[str, Match] = {}

    def write(self, found: Structured, replace_models: bool) -> None:
        """A document as one model sees it; another text takes the place of what all models said."""
        document, model = found.resolved.analysis.document, found.resolved.analysis.model
        before = self.documents.get(document.uri, {})
        same = not replace_models and any(b.resolved.analysis.document.id == document.id for b in before.values())
        self.documents[document.uri] = {**(before if same else {}), model: found}

    def retract(self, uri: str) -> None:
        """A document is gone."""
        self.documents.pop(uri, None)

    def now(self, key: str) -> str:
        """Where an entity is that may have been merged."""
        while key in self.merges:
            key = self.merges[key].into
        return key

    def entities(self) -> dict[str, str]:
        """Id → type of all entities."""
        return {self.now(e.id): e.type for found in self._all() for e in found.resolved.entities}

    def lines(self) -> list[str]:
        """As `canonical_export` writes it, without the aliases."""
        lines = [*self._documents(), *self._mentions(), *self._statements()]
        return sorted({json.dumps(line, ensure_ascii=False, sort_keys=True) for line in lines})

    def _all(self) -> Iterator[Structured]:
        for by_model in self.documents.values():
            yield from by_model.values()

    def _documents(self) -> Iterator[dict[str, Any]]:
        for found in self._all():
            d = found.resolved.analysis.document
            names = ("id", "uri", "format", "title", "language", "ocr")
            yield _node(["Document"], {name: getattr(d, name) for name in names} | {"source": d.source or d.uri})

    def _mentions(self) -> Iterator[dict[str, Any]]:
        own: dict[str, set[str]] = defaultdict(set)
        others: dict[str, set[str]] = defaultdict(set)
        for found in self._all():
            document, model = found.resolved.analysis.document.id, found.resolved.analysis.model
            for e in found.resolved.entities:
                key = self.now(e.id)
                (own if key == e.id else others)[key].add(e.name)
                properties = {"name": e.name, "names": sorted(e.aliases), "count": len(e.mentions)}
                yield _edge("MENTIONED_IN", key, document, {"said": e.id, "model": model, **properties})
        for key, kind in self.entities().items():
            register = {m.into_name: m.register_id for m in self.merges.values() if m.into == key and m.register_id}
            names = own[key] or set(register) or others[key]
            properties = {"id": key, "type": kind, "name": min(names, key=lambda name: (-len(name), name))}
            yield _node(["Entity", kind], properties | ({"register_id": key} if register else {}))

    def _statements(self) -> Iterator[dict[str, Any]]:
        surest: dict[tuple[str, str, str], float] = defaultdict(float)
        for found in self._all():
            said = {s.id: s for s in found.statements}
            for v in found.evidence:
                s = said[v.statement]
                stated = (self.now(s.head), s.relation, self.now(s.tail))
                surest[stated] = max(surest[stated], v.confidence)
                places = ("text", "start", "end", "head_start", "head_end", "tail_start", "tail_end")
                properties = {name: getattr(v, name) for name in (*places, "confidence", "model", "id")}
                yield _node(["Evidence"], properties | {"head": s.head, "relation": s.relation, "tail": s.tail})
                yield _edge("SUPPORTS", v.id, Statement.make_id(*stated), {})
                yield _edge("FROM", v.id, v.document, {})
        for (head, relation, tail), confidence in surest.items():
            key = Statement.make_id(head, relation, tail)
            yield _node(["Statement"], {"id": key, "relation": relation, "confidence": confidence})
            yield _edge("HEAD", key, head, {})
            yield _edge("TAIL", key, tail, {})
            yield _edge(relation, head, tail, {"id": key, "confidence": confidence})


def _node(labels: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "node", "labels": sorted(labels), "properties": properties}


def _edge(kind: str, head: str, tail: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "edge", "type": kind, "head": head, "tail": tail, "properties": properties}
