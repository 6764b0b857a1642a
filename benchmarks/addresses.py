"""Measure how well parts of US postal addresses are told: by the bundle `courier-address` and by usaddress.

    pip install -e '.[train,bench]'
    python -m benchmarks.addresses --data ../shared/data/open

usaddress is the tool that the labelled addresses come from: a CRF over features made by hand. The model that it brings
was trained on all of them; here its features learn, as it makes them, from the addresses that taught ours, and from no
other. Both are asked for the label of each word between white space, of addresses that taught neither.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from benchmarks import accuracy
from export_onnx.config import read_recipe
from export_onnx.data import load_part
from export_onnx.examples import Example, LabelSpace
from export_onnx.formats.addresses import ADDRESS

CONFIG = Path(__file__).parent.parent / "export_onnx" / "configs" / "courier-address.yaml"
#: What usaddress says of words that are no part of an address.
_NONE = "NotAddress"
#: Texts → of each, the label of each word.
Labeller = Callable[[Sequence[str]], list[list[str]]]


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of the data sets.")
@click.option("--bundle", default="courier-address", show_default=True, help="The bundle that is measured.")
@click.option("--part", type=click.Choice(["dev", "test"]), default="dev", show_default=True)
def main(data: Path, bundle: str, part: str) -> None:
    """Run both and print what they score."""
    recipe = read_recipe(CONFIG)
    space = LabelSpace(recipe.layers, recipe.relations)
    taught, asked = (dict(load_part(recipe, data, name, space))["usaddress"] for name in ("train", part))
    texts = [example.text for example in asked]
    true = [_labels(example.text, _gold(example)) for example in asked]
    click.echo(f"{part}, {len(asked)} addresses, {sum(map(len, true)):,} words: words right, addresses right")
    for name, labeller in {"ours": ours(bundle), "usaddress": usaddress(taught)}.items():
        found = labeller(texts)
        right = [a == b for one, other in zip(true, found, strict=True) for a, b in zip(one, other, strict=True)]
        whole = [one == other for one, other in zip(true, found, strict=True)]
        click.echo(f"{name:10} {100 * sum(right) / len(right):5.1f} % {100 * sum(whole) / len(whole):5.1f} %")


def ours(bundle: str) -> Labeller:
    """The bundle as the pipeline runs it."""
    find = accuracy.ours(bundle)
    return lambda texts: [_labels(text, spans) for text, spans in zip(texts, find(texts), strict=True)]


def usaddress(taught: Sequence[Example]) -> Labeller:
    """usaddress' features and the library it takes for its CRF, at its defaults, trained on these addresses."""
    import pycrfsuite
    from usaddress import tokens2features

    def features(text: str) -> list[object]:
        return tokens2features([text[start:end] for start, end in _words(text)])  # type: ignore[no-any-return]

    trainer, tagger = pycrfsuite.Trainer(verbose=False), pycrfsuite.Tagger()
    for example in taught:
        trainer.append(features(example.text), _labels(example.text, _gold(example)))
    with tempfile.TemporaryDirectory() as folder:
        trainer.train(f"{folder}/model")
        tagger.open(f"{folder}/model")
    return lambda texts: [tagger.tag(features(text)) for text in texts]


def _gold(example: Example) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, next(iter(span.types))) for span in example.spans]


def _words(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S+", text)]


def _labels(text: str, spans: Sequence[tuple[int, int, str]]) -> list[str]:
    """The label of the first part that a word of the text shares a character with."""
    parts = sorted(span for span in spans if span[2] != ADDRESS)
    return [
        next((label for start, end, label in parts if start < high and low < end), _NONE) for low, high in _words(text)
    ]


if __name__ == "__main__":
    main()
