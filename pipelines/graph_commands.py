"""The other commands that need a graph: `view`, `retract` and `graph`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import click

from kg_sink import queries, server
from kg_sink.connection import is_uri
from kg_sink.exporting import canonical_export
from kg_sink.history import present
from pipelines.cli import Suggesting, graph_option
from pipelines.output import save, show
from pipelines.query_commands import connect, every_option, meant, own_option, periods


@click.command()
@click.argument("entity", required=False)
@click.option("--hops", default=2, show_default=True, type=click.IntRange(1, 6), help="How far around the entity.")
@click.option("--limit", default=300, show_default=True, type=click.IntRange(1, 5000), help="Statements drawn.")
@click.option("--out", default="graph.html", show_default=True, metavar="FILE")
@click.option("--timeline", "over_time", is_flag=True, help="Draw how much there is of each period instead.")
@every_option
@own_option
@graph_option
def view(
    entity: str | None, hops: int, limit: int, out: str, over_time: bool, every: str, by: str, target: str
) -> None:
    """Draw the graph, or what lies around ENTITY, into an HTML page that opens without a network.

    \b
    Example: tripleflow view "Acme Ltd" --hops 1 --out acme.html
    """
    from kg_sink.timeline import render_timeline
    from kg_sink.view import neighbourhood, overview, render

    if over_time:
        rows = periods(target, every, by)
        save(out, render_timeline(rows, f"{'Dates' if by == 'date' else 'Written'} by {every}"))
        click.echo(f"{len(rows)} periods drawn in {out}")
        return
    connection = connect(target)
    if entity:
        found = meant(queries.find_entities(connection, entity), entity)
        rows, title = neighbourhood(connection, found["id"], hops, limit), str(found["name"])
    else:
        rows, title = overview(connection, limit), "tripleflow"
    save(out, render(rows, title))
    click.echo(f"{len(rows)} statements drawn in {out}")


@click.command()
@click.argument("documents", nargs=-1, required=True, metavar="DOCUMENT...")
@click.option("--dry-run", is_flag=True, help="Only say which documents would go.")
@click.option(
    "--forget",
    is_flag=True,
    help="Erase their history too, earlier versions and what went before: no --as-of query answers from them any more.",
)
@graph_option
def retract(documents: tuple[str, ...], dry_run: bool, forget: bool, target: str) -> None:
    """Take documents (files, folders, globs or URIs, as for `run`) out of the graph, with what only they said.

    \b
    Example: tripleflow retract contracts/draft.docx
    """
    from kg_sink.retracting import documents_meant, files_that_match, find_documents
    from kg_sink.retracting import retract as take_out
    from transforms.reading.inputs import regex_of

    connection = connect(target)
    uris = [text.rstrip("/") if "://" in text else os.path.abspath(text) for text in documents]
    wanted: list[str] = []
    for uri in uris:
        is_glob = set(uri) & set("*?[") and not find_documents(connection, [uri], history=forget)
        wanted += (files_that_match(connection, regex_of(uri).match, history=forget) if is_glob else []) or [uri]
    found = documents_meant(connection, wanted, history=forget)
    names = sorted({row["uri"] for row in found})  # history has a row a version
    if dry_run:
        show([{"document": name} for name in names], "table")
    else:
        take_out(connection, [row["id"] for row in found], present(), history=not forget)
    done = "would be retracted" if dry_run else "retracted, with what only they said"
    click.echo(f"{len(names)} document{'s' if len(names) > 1 else ''} {done}")


@click.group(cls=Suggesting)
def graph() -> None:
    """Start, stop, export and wipe the embedded graph.

    \b
    Example: tripleflow graph start
    """


def _folder_command(work: Callable[[Path], str], name: str, text: str) -> None:
    @graph.command(name, help=f"{text}\n\n\b\nExample: tripleflow graph {name}")
    @graph_option
    def command(target: str) -> None:
        if is_uri(target):
            raise click.UsageError("--graph: this command is for an embedded graph's folder, not for a server's URI")
        click.echo(work(Path(target)))


def _start(folder: Path) -> str:
    found = server.start(folder)
    first = ""
    if found.new:
        first = "\nArcadeDB, embedded: answers Bolt on this machine only. "
        first += f"Its data and its generated password lie in {folder.resolve()}"
    state = "already runs" if found.already_running else "runs"
    return f"The graph {state} at {found.connection.uri}, database {found.connection.database!r}.{first}"


def _stop(folder: Path) -> str:
    return "The graph is stopped." if server.stop(folder) else f"No graph runs in {folder}."


def _status(folder: Path) -> str:
    found = server.status(folder)
    if found is None:
        return f"No graph runs in {folder}; start it with: tripleflow graph start --graph {shlex.quote(str(folder))}"
    answer = "answers" if found.responding else "does not answer"
    return (
        f"The graph runs at {found.uri} (process {found.pid}, {found.uptime:.0f} s, "
        f"{found.size / 1e6:.1f} MB) and {answer}."
    )


def _wipe(folder: Path) -> str:
    server.wipe(folder)
    return f"{folder} holds no graph any more."


_folder_command(_start, "start", "Start the embedded graph; it goes on when this command ends.")
_folder_command(_stop, "stop", "Stop the embedded graph; what it holds stays.")
_folder_command(_status, "status", "Say whether the embedded graph runs, and where.")
_folder_command(_wipe, "wipe", "Stop the embedded graph and delete all that it holds.")


@graph.command("export")
@graph_option
@click.option("--out", metavar="FILE", help="Where to write; the terminal without it.")
def export(target: str, out: str | None) -> None:
    """Write the graph as sorted JSON lines: equal graphs give equal files.

    \b
    Example: tripleflow graph export --out graph.jsonl
    """
    lines = canonical_export(connect(target))
    text = "".join(f"{line}\n" for line in lines)
    if out:
        save(out, text)
        click.echo(f"{len(lines)} nodes and edges in {out}")
    else:
        click.echo(text, nl=False)
