"""A config file: the data sets of a recipe, what their labels mean, and how to train on them.

The least that is needed:

    name: contracts
    version: "1"
    data:
      - name: ours
        format: jsonl            # or conll, brat
        train: train.jsonl
        dev: dev.jsonl           # without it, every tenth example of train

Paths start from the config's own folder. What else may be set, and to what if it is not: `Recipe` and `Source`.
A config that differs from another in a few fields says `like: other.yaml`, and sets those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from transforms import user_files

#: Every so many examples one is dev, in a set that names no dev part.
DEV_EVERY = 10


#: Fields of a recipe that need so many at least.
_LEAST = {"epochs": 1, "runs": 1, "warmup": 1, "window": 3, "budget": 1, "reach": 0}


class ConfigError(ValueError):
    """A config file that cannot be used: names the file, the field and the remedy."""


@dataclass(frozen=True)
class Part:
    """Files of a set (patterns, relative to the data folder), and which of their examples are taken.

    Attributes:
        without: patterns of files that are left out.
        rows: from the first to before the second.
        every, keep: those whose number, or with `by: key` the CRC-32 of whose key, modulo `every` is in `keep`.
    """

    files: tuple[str, ...]
    without: tuple[str, ...] = ()
    rows: tuple[int, int] | None = None
    every: int = 1
    keep: tuple[int, ...] = (0,)
    by: str = "row"


@dataclass(frozen=True)
class Source:
    """One data set.

    Attributes:
        labels: the set's label → the types it may mean; its labels are the types, without it.
        rest: types that a label may mean that `labels` does not name, or no mention; [] drops such mentions.
        unmarked: types that the set does not mark: O may hide one of them.
        doubtful: texts, in lower case, whose mentions are left open.
        documents: sentences that follow each other are context for each other (conll).
        inferred: facts without evidence, which readers infer, hold of every pair of their entities' mentions and not
            only within a sentence (redocred); for scores by whole documents.
        join: up to so many examples of the train and dev parts are put one below the other, and make one.
        among: sets whose texts stand around the joined examples, on lines of their own or in the same one; for examples
            that are found inside of other text (addresses). What these sets mark is left out.
        repeat, most: how often an epoch has each example, and how many windows of the set at most.
    """

    name: str
    format: str
    train: Part
    dev: Part | None = None
    test: Part | None = None
    licence: str = "not said"
    source: str = ""
    labels: Mapping[str, tuple[str, ...]] | None = None
    rest: tuple[str, ...] | None = None
    unmarked: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    documents: bool = False
    inferred: bool = False
    join: int = 1
    among: tuple[str, ...] = ()
    repeat: int = 1
    most: int | None = None


@dataclass(frozen=True)
class Recipe:
    """What a config file sets. Sizes in subtokens, rates per step.

    Attributes:
        schema: the schema that the types and relations follow (YAML, beside the config); "default" is the one that
            ships with the pipeline. Without it, one is made of what the data hold.
        layers: types by layer (`LabelSpace.layers`); all in one, without it.
        across: types whose mentions may run over the end of a sentence (an address over its lines).
        relations: relations in order; without it, all that the data hold.
        rename: what relations of the data are called in the bundle.
        reach: sentences that head and tail of a relation may be apart.
        start: the bundle that training begins from (a folder, from the config's own, or the name of one that ships);
            the encoder as published, without it.
        depth: encoder layers, spread evenly over those of `start` or the published ones; all of them, without it. Fewer
            are faster and know less.
        heads, inner: attention heads and feed-forward units of each layer; those whose outputs vary most over the
            training texts stay (`narrowing`), all of them without it. Better than less `depth` at the same speed.
        merge: the layer, of those taken, that reads all subtokens for the last time, and writes the first of each word;
            hardly changes what comes out. The last, without it.
        settle: the layer, not before `merge`, after which words that are surely in no mention stay as they are, while
            the later ones read on for the others (`settling`). None, without it; where neither is set and all layers
            are taken, both are those of `start`.
        distil: weight of the loss that draws the states of each layer to those of the bundle under `start`
            (`distillation`), and no dropout in its encoder; for a smaller one.
        scramble: share of batches that are read with words replaced by any others, and teach by `distil` alone; what
            the training texts lack is kept better.
        runs: trainings that begin alike and go on with `seed` and those after it, of whose weights the mean is taken.
        recut: each epoch cuts texts into windows elsewhere, so that a sentence is read with other ones around it.
        recase: share of windows that are read as if in capitals or in small letters.
        precise: precision, in per cent, that a relation's threshold has to reach on dev.
        bfloat16: multiply numbers of 16 bits while training, on processors that have instructions for it (AVX-512 BF16,
            with which it takes less than half the time, AMX, ARM's); on others nothing changes.
        rounded: train with weights and inputs rounded as the int8 graph rounds them (`architectures/rounding`).
        reduce_range: weights of 7 bits instead of 8. CPUs without VNNI saturate where they add up products of 8 bits.
    """

    name: str
    version: str
    data: tuple[Source, ...]
    summary: str = ""
    licence: str = "not said"
    limits: str = ""
    schema: str | None = None
    layers: tuple[tuple[str, ...], ...] = ()
    across: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    reach: int = 1
    start: str | None = None
    depth: int | None = None
    heads: int | None = None
    inner: int | None = None
    merge: int | None = None
    settle: int | None = None
    distil: float = 0.0
    scramble: float = 0.0
    seed: int = 13
    runs: int = 1
    epochs: int = 8
    window: int = 128
    budget: int = 2048
    encoder_rate: float = 1e-4
    head_rate: float = 1e-3
    warmup: int = 100
    recut: bool = False
    recase: float = 0.08
    tagging_weight: float = 10.0
    relation_weight: float = 5.0
    precise: float = 50.0
    bfloat16: bool = False
    rounded: bool = False
    reduce_range: bool = False
    path: Path = field(default=Path(), compare=False, repr=False)


def read_recipe(path: Path) -> Recipe:
    """Read a config file.

    Raises:
        ConfigError: it cannot be read, or a field is unknown, missing or of the wrong kind; says which.
    """
    given = checked(Recipe, _fields(path), str(path), hidden={"path"})
    given["data"] = read_sources(given["data"], path)
    names = [source.name for source in given["data"]]
    for source in given["data"]:
        if unknown := set(source.among) - set(names):
            raise ConfigError(f"{path}: set {source.name!r}: field 'among': no set is called {min(unknown)!r}")
    layers = given.get("layers", ())
    if not isinstance(layers, (list, tuple)):
        raise ConfigError(f"{path}: field 'layers': expected lists of types, found {layers!r}")
    given["layers"] = tuple(_names(row, f"{path}: field 'layers'") for row in layers)
    for name in ("relations", "across"):
        given[name] = _names(given.get(name, ()), f"{path}: field {name!r}")
    renamed = given.get("rename", {})
    if not isinstance(renamed, dict):
        raise ConfigError(f"{path}: field 'rename': expected the new name of each relation")
    given["rename"] = {str(old): str(new) for old, new in renamed.items()}
    for name, least in _LEAST.items():
        if given.get(name, least) < least:
            raise ConfigError(f"{path}: field {name!r}: {given[name]} is too few; take {least} or more")
    if given.get("distil") and given.get("start") is None:
        raise ConfigError(f"{path}: field 'distil': there is no bundle to learn from; name one under 'start'")
    if scramble := given.get("scramble"):
        if not given.get("distil"):
            raise ConfigError(f"{path}: field 'scramble': scrambled texts teach by 'distil' alone; set that too")
        if not 0 < scramble < 1:
            raise ConfigError(f"{path}: field 'scramble': {scramble} is no share of batches; take less than 1")
    return Recipe(**given, path=path)


def _fields(path: Path) -> object:
    """What a config sets; where it is `like` another, that one's fields, and its own over them."""
    row = read_yaml(path)
    if not isinstance(row, dict) or "like" not in row:
        return row
    other = path.parent / str(row["like"])
    shared = read_yaml(other)
    if not isinstance(shared, dict) or "like" in shared:
        raise ConfigError(f"{path}: field 'like': {other} sets no fields, or is like another itself; name a config")
    return {**shared, **{name: value for name, value in row.items() if name != "like"}}


def read_yaml(path: Path) -> object:
    """A file's content.

    Raises:
        ConfigError: it cannot be read, is not YAML, or has a key twice in one place.
    """
    try:
        return user_files.read_yaml(path)
    except user_files.YamlError as error:
        raise ConfigError(str(error)) from error


def read_sources(rows: object, path: Path) -> tuple[Source, ...]:
    """The data sets that a config lists.

    Raises:
        ConfigError: there is none, two have one name, or a field is wrong.
    """
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path}: field 'data': list at least one data set under it")
    sources = tuple(_source(row, f"{path}: field 'data[{place}]'") for place, row in enumerate(rows))
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path}: field 'data': two sets are called {name!r}; rename one")
    return sources


def _source(row: object, place: str) -> Source:
    given = checked(Source, row, place)
    for part in ("train", "dev", "test"):
        if part in given:
            given[part] = _part(given[part], f"{place}.{part}")
    for name in ("rest", "unmarked", "doubtful", "among"):
        if name in given:
            given[name] = _names(given[name], f"{place}.{name}")
    if "labels" in given:
        labels = given["labels"]
        if not isinstance(labels, dict):
            raise ConfigError(f"{place}.labels: expected a type, or a list of types, for each label")
        given["labels"] = {
            str(label): _names(types if isinstance(types, list) else [types], f"{place}.labels.{label}")
            for label, types in labels.items()
        }
    return Source(**given)


def _part(row: object, place: str) -> Part:
    if isinstance(row, (str, list)):
        return Part(_names([row] if isinstance(row, str) else row, place))
    given = checked(Part, row, place)
    files = given["files"]
    given["files"] = _names([files] if isinstance(files, str) else files, f"{place}.files")
    given["without"] = _names(given.get("without", ()), f"{place}.without")
    for name in ("rows", "keep"):
        if name in given:
            numbers = given[name]
            if not isinstance(numbers, list) or not all(isinstance(number, int) for number in numbers):
                raise ConfigError(f"{place}.{name}: expected a list of whole numbers")
            given[name] = tuple(numbers)
    if len(given.get("rows", (0, 0))) != 2:
        raise ConfigError(f"{place}.rows: expected two numbers, the first row and the one after the last")
    if given.get("by", "row") not in ("row", "key"):
        raise ConfigError(f"{place}.by: expected 'row' or 'key'")
    return Part(**given)


def _names(row: object, place: str) -> tuple[str, ...]:
    if not isinstance(row, Sequence) or isinstance(row, str) or not all(isinstance(name, str) for name in row):
        raise ConfigError(f"{place}: expected a list of names, found {row!r}; put numbers and yes/no in quotes")
    return tuple(row)


def checked(kind: type, row: object, place: str, hidden: Sequence[str] | set[str] = ()) -> dict[str, Any]:
    """The row as a dictionary with the dataclass' fields only, each of its field's plain type.

    Raises:
        ConfigError: a field is unknown, missing or wrong. `place` begins the error.
    """
    known = {f.name: f for f in fields(kind) if f.name not in hidden}
    if not isinstance(row, dict):
        raise ConfigError(f"{place}: expected fields; known are {', '.join(known)}")
    for name in row:
        if name not in known:
            raise ConfigError(f"{place}: unknown field {str(name)!r}; known are {', '.join(known)}")
    for name, entry in known.items():
        if name not in row and entry.default is MISSING and entry.default_factory is MISSING:
            raise ConfigError(f"{place}: field {name!r} is missing; known are {', '.join(known)}")
    given = dict(row)
    plain: dict[str, type | tuple[type, ...]] = {"int": int, "float": (int, float), "bool": bool, "str": (str, int)}
    for name, value in row.items():
        if value is None and str(known[name].type).endswith(" | None"):
            continue
        wanted = plain.get(str(known[name].type).removesuffix(" | None"))
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool)):
            raise ConfigError(f"{place}: field {name!r}: expected {known[name].type}, found {value!r}")
        if known[name].type == "float":
            given[name] = float(value)
        elif str(known[name].type).startswith("str"):
            given[name] = str(value)
    return given
