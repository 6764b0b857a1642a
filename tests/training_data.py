"""A tiny folder of training sets, each in its own format, for tests of the recipes."""

from __future__ import annotations

import json
from pathlib import Path

PEOPLE = ("Ann Lee", "Bo Ek", "Carla Diaz", "Dan Moor")
_ROLES = "Big\tB-MISC\nDeal\tI-MISC\nbinds\tO\nBorrower\tB-PER\n.\tO\n"
PLACES = ("Rome", "Oslo", "Leeds", "Bremen")
#: A document that trains, and the dev part.
_GUM = (
    "news_any",
    "academic_exposure",
    "academic_librarians",
    "bio_byron",
    "bio_emperor",
    "court_loan",
    "court_negligence",
    "interview_cyclone",
    "interview_gaming",
    "news_homeopathic",
    "news_iodine",
    "voyage_athens",
    "voyage_coron",
)


#: The sizes of an encoder that takes no time.
SMALL_ENCODER = {
    "hidden_size": 8,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "num_hidden_layers": 6,
    "vocab_size": 20,
    "max_position_embeddings": 16,
}


def write_training_data(root: Path) -> Path:
    """Write every set of the default bundle's config."""
    _redocred(root / "redocred")
    _re3d(root / "re3d" / "source")
    tagged = [
        f"{name.split()[0]}\tB-{person}\n{name.split()[1]}\tI-{person}\nvisited\tO\n{place}\tB-{location}\n.\tO\n"
        for name, place in zip(PEOPLE, PLACES, strict=True)
        for person, location in (("person", "location"),)
    ]
    coarse = [text.replace("-person", "-PER").replace("-location", "-LOC") for text in tagged]
    files = {
        **{f"crossner/ai/{part}.txt": tagged for part in ("train", "dev")},
        **{f"wnut17/{part}.conll": tagged for part in ("train", "dev")},
        **{f"btc/{part}.conll": coarse for part in "abefg"},
        "sec_filings/train_FIN5.txt": ["-DOCSTART- O\n", *coarse, _ROLES] * 5,
        **{f"gum/tsv/GUM_{name}.tsv": [_gum(*pair) for pair in zip(PEOPLE, PLACES, strict=True)] for name in _GUM},
    }
    for name, sentences in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(sentences), encoding="utf-8")
    return root


def _gum(person: str, place: str) -> str:
    first, last = person.split()
    tags = [(first, "person[1]"), (last, "person[1]"), ("visited", "_"), (place, "place"), (".", "_")]
    return "".join(f"1-{number}\t0-1\t{word}\t{tag}\n" for number, (word, tag) in enumerate(tags, start=1))


def redocred_document() -> dict[str, object]:
    """A document in which a fact stands in one sentence, another in two, and the second's property is turned."""

    def mention(kind: str, sentence: int, first: int, last: int) -> dict[str, object]:
        return {"type": kind, "sent_id": sentence, "pos": [first, last], "name": ""}

    return {
        "title": "Ann Lee",
        "sents": [["Ann", "Lee", "was", "born", "in", "Rome", "."], ["She", "has", "a", "son", ",", "Bo", "Ek", "."]],
        "vertexSet": [[mention("PER", 0, 0, 2)], [mention("LOC", 0, 5, 6)], [mention("PER", 1, 5, 7)]],
        "labels": [
            {"h": 0, "r": "P19", "t": 1, "evidence": [0]},
            {"h": 2, "r": "P25", "t": 0, "evidence": [0, 1]},
            {"h": 2, "r": "P19", "t": 1, "evidence": []},
        ],
    }


def _redocred(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "train_500docs.json").write_text(json.dumps([redocred_document()] * 420), encoding="utf-8")


def _re3d(folder: Path) -> None:
    folder.mkdir(parents=True)
    documents, entities, relations = [], [], []
    for number in range(20):
        name, place = PEOPLE[number % 4], PLACES[number % 4]
        text, key = f"The {name} Bank is in {place}.", f"document-{number}"
        ends = {"begin": 0, "end": text.index(" is")}, {"begin": text.index(place), "end": len(text) - 1}
        documents.append({"_id": key, "text": text})
        for kind, span in zip(("Organisation", "Location"), ends, strict=True):
            entities.append({"documentId": key, "type": kind, **span})
        link = {f"{side}{end.capitalize()}": span[end] for side, span in zip(("source", "target"), ends, strict=True)
                for end in span}  # fmt: skip
        relations.append({"documentId": key, "type": "CoLocated", **link})
    for name, rows in (("documents", documents), ("entities", entities), ("relations", relations)):
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
