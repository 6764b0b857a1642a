"""Files that users write: YAML without doubled keys, and fields that are misspelt.

A field that is passed over is worse than one that is refused: what it would have told is missing without a word.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path

import yaml


class YamlError(ValueError):
    """A YAML file that cannot be used: names the file, the line and the remedy."""


# The parser in C is ten times as fast, where PyYAML came with it.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Refuses a key that stands twice in one mapping, where YAML's own would keep the later one."""

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        _refuse_doubles(node)
        return node


def _refuse_doubles(root: yaml.Node | None) -> None:
    pending, seen = [root], set[int]()
    while pending:
        node = pending.pop()
        if not isinstance(node, yaml.CollectionNode) or id(node) in seen:  # an alias stands for the same node
            continue
        seen.add(id(node))
        if not isinstance(node, yaml.MappingNode):
            pending += node.value
            continue
        first: dict[tuple[str, str], yaml.Node] = {}
        for key, value in node.value:
            pending += (key, value)
            if isinstance(key, yaml.ScalarNode) and (other := first.setdefault((key.tag, key.value), key)) is not key:
                problem = f"{cut(key.value)!r} stands in line {other.start_mark.line + 1} too"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)


def read_yaml(path: Path) -> object:
    """A file's content.

    Raises:
        YamlError: it cannot be read, is not YAML, or has a key twice in one place.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise YamlError(f"{path}: cannot be read ({error.strerror}); give an existing YAML file") from error
    except UnicodeDecodeError as error:
        raise YamlError(f"{path}: not UTF-8 ({error}); save it as UTF-8") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = str(path) if mark is None else f"{path}, line {mark.line + 1}"
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise YamlError(f"{place}: not valid YAML ({cut(problem, 200)}); mend the file") from error


def unknown_field(given: Iterable[object], known: Collection[str]) -> str | None:
    """The first field that is none of the known ones, with what it may be meant for, as the end of an error."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            return f"unknown field {cut(str(name))!r}; {hint}"
    return None


@lru_cache(maxsize=1024)
def misspelt_field(given: tuple[str, ...], known: tuple[str, ...]) -> str | None:
    """The first field that is nearly a known one which is missing, as the end of an error.

    For files that may have fields of their own; the same few sets of them come with each row.
    """
    missing = {name: None for name in known if name not in given}
    for name in given:
        if name not in known and (near := difflib.get_close_matches(name.strip().lower(), missing, n=1, cutoff=0.8)):
            return f"unknown field {cut(name)!r}; did you mean {near[0]!r}? rename it"
    return None


def cut(text: str, length: int = 80) -> str:
    """The beginning of a text that is quoted in an error."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
