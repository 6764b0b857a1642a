"""The command `query`: ready queries, and Cypher of one's own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from kg_sink import past_queries, queries, server
from kg_sink.connection import GraphError, is_uri, resolve_target
from kg_sink.history import as_time
from pipelines.cli import Suggesting, graph_option
from pipelines.output import FORMATS, printable, show

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


def meant(found: Sequence[dict[str, Any]], text: str) -> dict[str, Any]:
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
        found = meant(past_queries.find_entities_then(connection, entity, as_time(at)), entity)
        _show([past_queries.about_then(connection, as_time(at), found["id"])], limit, form)
        return
    found = meant(queries.find_entities(connection, entity), entity)
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
        ends = [meant(past_queries.find_entities_then(connection, text, then), text)["id"] for text in (one, other)]
        step = partial(past_queries.step_then, connection, then)
        show(queries.find_paths(connection, ends[0], ends[1], hops, step=step), form)
        return
    ends = [meant(queries.find_entities(connection, text), text)["id"] for text in (one, other)]
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


def periods(target: str, every: str, by: str) -> list[queries.Row]:
    """How much there is of each period; `every` and `by` as the options say."""
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
    show(periods(target, every, by), form)


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
