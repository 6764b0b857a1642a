"""The commands that keep a graph right over the years: `resolve`, `diff`, `graph migrate`."""

from __future__ import annotations

from typing import Any

import click

from kg_sink import diffing, merging, migrations, queries
from kg_sink.connection import is_uri
from kg_sink.history import as_time, present
from kg_sink.server import Connection
from pipelines.cli import graph_option
from pipelines.graph_commands import graph
from pipelines.output import show
from pipelines.query_commands import connect, format_option
from transforms.matching import Known, Match, match
from transforms.register import load_register
from transforms.schema import Schema, load_schema

_SHOWN = 1000


@click.command()
@click.option("--register", metavar="FILE", help="Known entities, whose names and aliases decide first.")
@click.option("--schema", metavar="S.yaml", help="The schema of the graph; the default schema without it.")
@click.option(
    "--threshold", default=0.95, show_default=True, type=click.FloatRange(0, 1), help="Merge from this score."
)
@click.option("--merge", "pair", nargs=2, metavar="ONE OTHER", help="Merge these two instead (names or ids).")
@click.option("--undo", metavar="ID", help="Undo the merge of the entity that had this id.")
@click.option("--merged", is_flag=True, help="List what was merged.")
@click.option("--dry-run", is_flag=True, help="Only list the pairs, those below the threshold too.")
@graph_option
@format_option
def resolve(
    register: str | None,
    schema: str | None,
    threshold: float,
    pair: tuple[str, str] | None,
    undo: str | None,
    merged: bool,
    dry_run: bool,
    target: str,
    form: str,
) -> None:
    """Merge entities that are one, with their statements and evidence; the old id goes on answering.

    \b
    Examples: tripleflow resolve --register companies.csv --dry-run
              tripleflow resolve --merge "Acme Ltd" "Acme Limited"
    """
    if undo and dry_run:
        raise click.UsageError("--undo parts what was merged; --dry-run lists pairs to merge: leave one of them out")
    connection = connect(target)
    if dry_run or merged:
        migrations.pending(connection)  # refuses a graph that a newer tripleflow wrote
    else:
        migrations.prepare(connection)
        merging.gather(connection, present())
    if undo:
        merging.undo(connection, undo)
        click.echo(f"{undo} is an entity of its own again")
    elif merged:
        show(queries.run_query(connection, queries.MERGED.cypher), form)
    elif pair:
        found = [_pair(connection, *pair)]
        shown = _rows(connection, found)
        if not dry_run:
            merging.merge(connection, found, present())
        show(shown, form)
    else:
        read = load_schema(schema)
        found = match(_known(connection, read), load_register(register, read) if register else None)
        chosen = [one for one in found if one.score >= threshold]
        shown = _rows(connection, found if dry_run else chosen)
        if not dry_run:
            merging.merge(connection, chosen, present())
        show(shown[:_SHOWN], form)
        if form == "table":
            done = "would be merged" if dry_run else "merged; undo one with: tripleflow resolve --undo ID"
            click.echo(f"{len(chosen)} of {len(found)} pairs {done}")


def _known(connection: Connection, schema: Schema) -> list[Known]:
    return [
        Known(
            id=row["id"],
            type=row["type"],
            name=row["name"],
            spellings=tuple(row["spellings"]),
            registered=row["register_id"] is not None,
            kind=schema.kinds[row["type"]],
        )
        for row in queries.run_query(connection, queries.SPELLINGS.cypher)
    ]


def _pair(connection: Connection, one: str, other: str) -> Match:
    goes, stays = (_only(queries.find_entities(connection, text), text) for text in (one, other))
    if goes["id"] == stays["id"]:
        raise click.UsageError(f"--merge: {one!r} and {other!r} are one entity already ({goes['id']})")
    if goes["type"] != stays["type"]:
        raise click.UsageError(f"--merge: {one!r} is a {goes['type']}, {other!r} a {stays['type']}; they cannot be one")
    if goes["register_id"] and not stays["register_id"]:
        goes, stays = stays, goes
    name = stays["name"] if stays["register_id"] else None
    return Match(goes["id"], stays["id"], goes["type"], "asked for", 1.0, stays["register_id"], name)


def _only(found: list[dict[str, Any]], text: str) -> dict[str, Any]:
    if len(found) > 1:
        ids = ", ".join(f"{row['id']} ({row['type']} {row['name']})" for row in found)
        raise click.UsageError(f"--merge: {text!r} may be {ids}; give an id")
    return found[0]


def _rows(connection: Connection, found: list[Match]) -> list[dict[str, Any]]:
    keys = sorted({key for one in found for key in (one.entity, one.into)})
    names = {row["id"]: row["name"] for row in queries.run_query(connection, queries.NAMED.cypher, {"ids": keys})}
    return [
        {
            "entity": names.get(one.entity, one.entity),
            "into": names.get(one.into) or one.into_name,
            "type": one.type,
            "reason": one.reason,
            "score": one.score,
            "id": one.entity,
        }
        for one in found
    ]


@click.command()
@click.argument("one")
@click.argument("other")
@graph_option
@format_option
def diff(one: str, other: str, target: str, form: str) -> None:
    """What two models (NAME@VERSION), or the graph at two times (ISO 8601), say differently.

    \b
    Examples: tripleflow diff enterprise@1 enterprise@2
              tripleflow diff 2026-03-01 2026-04-01
    """
    connection = connect(target)
    if "@" in one or "@" in other:
        show(diffing.diff_models(connection, one, other), form)
    else:
        show(diffing.diff_times(connection, as_time(one), as_time(other)), form)


@graph.command("migrate")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@graph_option
def migrate(dry_run: bool, target: str) -> None:
    """Bring a graph that an older tripleflow wrote to this version; `run` does so by itself.

    \b
    Example: tripleflow graph migrate --dry-run
    """
    connection = connect(target)
    found = migrations.pending(connection)
    for migration in found:
        click.echo(f"version {migration.version}: {migration.what}")
        if dry_run:
            for statement in (*migration.schema, *migration.data):
                click.echo(f"  {' '.join(statement.split())}")
    if not dry_run:
        answered = migrations.prepare(connection)
        where = target if is_uri(target) else "the embedded graph"
        click.echo(f"{where} ({answered.product} {answered.version}) has version {migrations.VERSION}")
    elif not found:
        click.echo(f"nothing to do: the graph has version {migrations.VERSION}")
