"""The commands that need a graph: `query`, `view`, `retract` and `graph`."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from kg_sink import past_queries, queries, server
from kg_sink.connection import GraphError, is_uri, resolve_target
from kg_sink.exporting import canonical_export
from kg_sink.history import as_time, present
from pipelines.cli import Suggesting, graph_option
from pipelines.output import FORMATS, printable, save, show

format_option = click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
as_of_option = click.option("--as-of", "at", metavar="TIME", help="As the graph was then (ISO 8601).")
#: Entities that are named where a text may mean several.
_SHOWN = 4
limit_option = click.option("--limit", default=25, show_default=True, type=click.IntRange(1))


def connect(target: str) -> server.Connection:
    """A running graph's connection; an embedded one that exists is started again."""
    if not is_uri(target) and not Path(target).exists():
        raise GraphError(
            f"{target}: no graph there yet; make one with: tripleflow run INPUT --graph {shlex.quote(target)}"
        )
    return resolve_target(target)


def _meant(found: Sequence[dict[str, Any]], text: str) -> dict[str, Any]:
    """Of the entities that a text means, the first; which others it may mean is said on standard error."""
    if len(found) > 1:
        taken, *others = (f"{row['type']} {row['name']} ({row['id']})" for row in found[:_SHOWN])
        more = ", …" if len(found) > _SHOWN else ""
        click.echo(
            printable(f"{text!r} is {taken} here, not {', '.join(others)}{more}; give an id for another"), err=True
        )
    return found[0]


def _show(tables: Sequence[list[dict[str, Any]]], limit: int, form: str) -> None:
    """Show the first rows of each table, up to the limit; that there are more is said on standard error."""
    for rows in tables:
        show(rows[:limit], form)
    if any(len(rows) > limit for rows in tables):
        click.echo(f"there are more than these {limit}; --limit NUMBER shows them", err=True)


@click.group(cls=Suggesting, invoke_without_command=True)
@click.option("--cypher", help="A query of your own.")
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Its parameter; may be repeated.")
@graph_option
@format_option
@click.pass_context
def query(context: click.Context, cypher: str | None, parameters: tuple[str, ...], target: str, form: str) -> None:
    """Ask the graph, by a ready query or by Cypher of your own; what a query writes is taken back.

    \b
    Examples: tripleflow query about "Acme Ltd"
              tripleflow query --cypher 'MATCH (p:Person) RETURN p.name LIMIT $n' --param n=5 --format csv
    """
    if context.invoked_subcommand is not None:
        # Before the subcommand they would say nothing of what it does.
        given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if given:
            names = {"target": "graph", "form": "format", "parameters": "param"}
            option, ready = names.get(given[0], given[0]), context.invoked_subcommand
            raise click.UsageError(
                f"--{option} stands before {ready!r}; write: tripleflow query {ready} ... --{option} ..."
            )
        return
    if cypher is None:
        click.echo(context.get_help())
        return
    show(queries.run_query(connect(target), cypher, _parameters(parameters)), form)


def _parameters(pairs: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--param {pair}: write it as NAME=VALUE")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values


@query.command()
@click.option("--type", "kind", help="Only of this type or subtype, as in the schema.")
@click.option("--name", help="Only with this in the name.")
@as_of_option
@limit_option
@graph_option
@format_option
def entities(kind: str | None, name: str | None, at: str | None, limit: int, target: str, form: str) -> None:
    """Entities by type, those in most documents first.

    \b
    Example: tripleflow query entities --type Organisation --limit 10
    """
    if at:
        _show([past_queries.entities_then(connect(target), as_time(at), kind, name)], limit, form)
        return
    parameters = {"type": kind, "name": name, "limit": limit + 1}
    _show([queries.run_query(connect(target), queries.ENTITIES.cypher, parameters)], limit, form)


@query.command()
@click.argument("entity")
@as_of_option
@limit_option
@graph_option
@format_option
def about(entity: str, at: str | None, limit: int, target: str, form: str) -> None:
    """Everything that is stated of an entity (name, spelling or id), and where it is mentioned.

    \b
    Example: tripleflow query about "Ingrid Solberg"
    """
    connection = connect(target)
    if at:
        found = _meant(past_queries.find_entities_then(connection, entity, as_time(at)), entity)
        _show([past_queries.about_then(connection, as_time(at), found["id"])], limit, form)
        return
    found = _meant(queries.find_entities(connection, entity), entity)
    parameters = {"id": found["id"], "limit": limit + 1}
    stated = queries.run_query(connection, queries.ABOUT.cypher, parameters)
    mentioned = queries.run_query(connection, queries.MENTIONS.cypher, parameters)
    if form == "json":
        show([{**found, "statements": stated[:limit], "documents": mentioned[:limit]}], form)
        return
    if form != "table":
        _show([stated], limit, form)
        return
    click.echo(printable(f"{found['type']} {found['name']} ({found['id']})"))
    _show([stated, [{k: v for k, v in row.items() if k != "document"} for row in mentioned]], limit, form)


@query.command()
@click.argument("one")
@click.argument("other")
@click.option("--hops", default=4, show_default=True, type=click.IntRange(1, 8))
@as_of_option
@graph_option
@format_option
def paths(one: str, other: str, hops: int, at: str | None, target: str, form: str) -> None:
    """The shortest paths of statements between two entities.

    \b
    Example: tripleflow query paths "Ingrid Solberg" Rotterdam
    """
    connection = connect(target)
    if at:
        then = as_time(at)
        ends = [_meant(past_queries.find_entities_then(connection, text, then), text)["id"] for text in (one, other)]
        step = partial(past_queries.step_then, connection, then)
        show(queries.find_paths(connection, ends[0], ends[1], hops, step=step), form)
        return
    ends = [_meant(queries.find_entities(connection, text), text)["id"] for text in (one, other)]
    show(queries.find_paths(connection, ends[0], ends[1], hops), form)


@query.command()
@click.argument("statement")
@as_of_option
@graph_option
@format_option
def evidence(statement: str, at: str | None, target: str, form: str) -> None:
    """The sentences that support a statement (its id, as other queries show it).

    \b
    Example: tripleflow query evidence sta-0123456789abcdef0123456789abcdef
    """
    if at:
        rows = past_queries.evidence_then(connect(target), as_time(at), [statement])
        names = ("text", "title", "uri", "start", "end", "confidence", "model")
        found = [
            {"head": row["head_name"], "relation": row["relation"], "tail": row["tail_name"]}
            | {n: row[n] for n in names}
            for row in rows
        ]
    else:
        found = queries.run_query(connect(target), queries.EVIDENCE.cypher, {"statement": statement})
    if not found:
        raise GraphError(f"no statement {statement!r}; ids stand in: tripleflow query about ENTITY")
    show(found, form)


@query.command()
@click.argument("since")
@limit_option
@graph_option
@format_option
def changes(since: str, limit: int, target: str, form: str) -> None:
    """Statements that are new since a date (ISO 8601).

    \b
    Example: tripleflow query changes 2026-03-01
    """
    parameters = {"since": as_time(since), "limit": limit + 1}
    _show([queries.run_query(connect(target), queries.CHANGES.cypher, parameters)], limit, form)


@query.command()
@limit_option
@graph_option
@format_option
def runs(limit: int, target: str, form: str) -> None:
    """The runs that brought something new: their times are what --as-of and `diff` take.

    \b
    Example: tripleflow query runs
    """
    _show([past_queries.runs(connect(target), limit + 1)], limit, form)


own_option = click.option(
    "--by",
    type=click.Choice(["date", "written"]),
    default="date",
    show_default=True,
    help="The document's own date, or when it was first written.",
)
every_option = click.option(
    "--every", type=click.Choice(list(queries.PERIODS)), default="month", show_default=True, help="The period."
)


def _timeline(target: str, every: str, by: str) -> list[queries.Row]:
    parameters = {"length": queries.PERIODS[every], "own": by == "date"}
    return queries.run_query(connect(target), queries.TIMELINE.cypher, parameters)


@query.command()
@every_option
@own_option
@graph_option
@format_option
def timeline(every: str, by: str, target: str, form: str) -> None:
    """Documents and evidence by period; undated documents are left out of their own dates.

    \b
    Example: tripleflow query timeline --every day --by written
    """
    show(_timeline(target, every, by), form)


@query.command()
@graph_option
@format_option
def counts(target: str, form: str) -> None:
    """How much of everything the graph holds.

    \b
    Example: tripleflow query counts --format json
    """
    connection = connect(target)
    rows = [
        {"what": ready.name, **row} for ready in queries.COUNTS for row in queries.run_query(connection, ready.cypher)
    ]
    show(sorted(rows, key=lambda row: (row["what"], -row["count"], row["name"])), form)


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
        periods = _timeline(target, every, by)
        save(out, render_timeline(periods, f"{'Dates' if by == 'date' else 'Written'} by {every}"))
        click.echo(f"{len(periods)} periods drawn in {out}")
        return
    connection = connect(target)
    if entity:
        found = _meant(queries.find_entities(connection, entity), entity)
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
