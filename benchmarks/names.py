"""Measure whose names are found: people whom no encyclopedia knows, in sentences of mails, contracts and forms.

    pip install -e '.[train,bench]'
    python -m benchmarks.names

Every name stands in every frame, alone in its text, so that nothing else tells what it is. Names and frames were made
up, and are no data that anything was trained on. Found is a name whose exact span is tagged as a person.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from benchmarks.accuracy import Finder, ours, spacy
from transforms.bundle import DEFAULT_BUNDLE

NAMES = (
    "Priya Nandakumar",
    "Sverre Halvorsen",
    "Oluwaseun Adebayo",
    "Katarzyna Wiśniewska",
    "Thiruvenkatam Raghunathan",
    "Ingebjørg Solheimsnes",
    "Chukwuemeka Okonkwo",
    "Wolfgang Schnitzelbauer",
    "Anastasia Papadimitriou",
    "Guðrún Sigurðardóttir",
    "Xochitl Villaseñor",
    "Nguyen Thi Phuong",
    "Mbali Dlamini",
    "Tadeusz Krzyżanowski",
    "Yevgeny Shcherbakov",
    "Aoife Ní Bhriain",
    "Laura Bennett",
    "Hiroshi Takamatsu",
    "Marieke van der Velde",
    "Beatriz Figueiredo",
    "Faisal Al-Harbi",
    "Zsófia Kerekes",
    "Mei-Ling Hsiao",
    "Tom Ashdown",
)
FRAMES = (
    "Please call {} tomorrow.",
    "Please send the invoice to {}.",
    "Ask {} for the signed copy.",
    "{} will be in Oslo next week.",
    "I spoke to {} yesterday.",
    "Copy {} on all mails about the winches.",
    "The order was placed by {}.",
    "Kind regards,\n{}",
    "This agreement is signed by {} for the Buyer.",
    "{}, chief executive of Acme Ltd, resigned.",
    "The board appointed {} as director.",
    "Notices go to {}, Head of Legal.",
    "Delivered to {} in Rotterdam.",
    "{} holds 200 shares.",
    "Prepared by {}, reviewed by the auditors.",
    "Contact: {}",
)


@click.command(help=__doc__)
@click.option("--bundle", "bundles", multiple=True, default=[DEFAULT_BUNDLE], help="A bundle to measure; repeatable.")
def main(bundles: Sequence[str]) -> None:
    """Print how many of the names each finds, by frame."""
    finders = {**{str(bundle): ours(str(bundle)) for bundle in bundles}, "spaCy sm": spacy()}
    click.echo(f"{'':48}" + " ".join(f"{name:>16}" for name in finders))
    totals = dict.fromkeys(finders, 0)
    for frame in FRAMES:
        counts = {name: _found(finder, frame) for name, finder in finders.items()}
        click.echo(f"{frame!r:48}" + " ".join(f"{count:16}" for count in counts.values()))
        totals = {name: totals[name] + count for name, count in counts.items()}
    of = len(NAMES) * len(FRAMES)
    click.echo(f"{f'of {of}':48}" + " ".join(f"{total:8} {100 * total / of:5.1f} %" for total in totals.values()))


def _found(finder: Finder, frame: str) -> int:
    start = frame.index("{}")
    texts = [frame.format(name) for name in NAMES]
    wanted = [(start, start + len(name), "Person") for name in NAMES]
    return sum(span in found for span, found in zip(wanted, finder(texts), strict=True))


if __name__ == "__main__":
    main()
