"""Measure what a run makes of business documents that neither training nor `samples/` shares anything with.

    python -m benchmarks.business --part dev [--model enterprise-wide]

Mails, minutes, contracts, press releases and reports of invented companies lie in `benchmarks/business/`, annotated as
`samples/` are and scored by its `score.py`. Those of `dev` may be read when phrases and forms are written; those of
`test` never were: score them seldom, and do not look at what was missed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import click

from kg_sink import server
from samples.score import score

FOLDER = Path(__file__).parent / "business"


@click.command(help=__doc__)
@click.option("--part", type=click.Choice(["dev", "test"]), default="dev", show_default=True)
@click.option("--model", default="enterprise", show_default=True, help="The bundle that is measured.")
def main(part: str, model: str) -> None:
    """Run the pipeline over the documents and print the scores of a part."""
    with tempfile.TemporaryDirectory() as folder:
        places = [f"--{name}={folder}/{name}" for name in ("parquet", "dead-letters", "graph")]
        command = [sys.executable, "-m", "pipelines.cli", "run", str(FOLDER / "documents"), "--model", model, *places]
        try:
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        finally:
            server.stop(Path(folder) / "graph")
        for name, found in sorted(score(Path(folder) / "parquet", FOLDER / "gold" / part).items()):
            if found.true:
                click.echo(f"{name}: {found}")


if __name__ == "__main__":
    main()
