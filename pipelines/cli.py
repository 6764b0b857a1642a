"""The command line: `tripleflow` and its commands; those that need a graph stand in modules of their own."""

from __future__ import annotations

import difflib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

DEFAULT_GRAPH = "graph"


def usual_graph() -> str:
    """The graph of a command that is told none."""
    return os.environ.get("TRIPLEFLOW_GRAPH", DEFAULT_GRAPH)


#: The graph that a command works on, the same for every command.
graph_option = click.option(
    "--graph",
    "target",
    default=usual_graph,
    show_default=f"{DEFAULT_GRAPH}, or TRIPLEFLOW_GRAPH",
    metavar="URI|DIR",
    help="bolt:// or neo4j:// URI, or the folder of an embedded graph.",
)


limit_option = click.option(
    "--limit",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of a limit that a dead letter names, as in max_seconds=3600; repeatable.",
)


class Suggesting(click.Group):
    """A group that answers an unknown command with the nearest one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find a command.

        Raises:
            UsageError: there is none of that name.
        """
        name = args[0] if args else ""
        if args and self.get_command(ctx, name) is None and not name.startswith("-"):
            known = self.list_commands(ctx)
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise click.UsageError(f"no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of their definition."""
        return list(self.commands)


@click.group(cls=Suggesting, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tripleflow")
def cli() -> None:
    """Turn documents into a knowledge graph in which every fact can be traced to its sentence.

    \b
    Example: tripleflow run samples/documents --register samples/register.csv
    """


@cli.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("inputs", nargs=-1, metavar="INPUT...", type=click.UNPROCESSED)
@graph_option
@click.option("--schema", metavar="S.yaml", help="Entity and relation types; the model's own without it.")
@click.option("--register", metavar="FILE", help="Known entities to link to: CSV, JSONL or Parquet.")
@click.option(
    "--parquet",
    metavar="DIR",
    help="Write tables of documents, mentions, statements, evidence there, in place of those of an earlier run.",
)
@click.option("--dead-letters", default="dead-letters", show_default=True, metavar="DIR", help="Where failures go.")
@click.option("--model", metavar="DIR", help="A model bundle, by folder or name; `enterprise` without it.")
@click.option("--text-column", default="text", show_default=True, help="Text column of JSONL and Parquet inputs.")
@limit_option
@click.option("--replace-models", is_flag=True, help="Withdraw what other models said of the same documents.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes on this machine.")
@click.option("--watch", is_flag=True, help="Go on: bring what comes, changes and goes into the graph, until stopped.")
@click.option("--interval", default=0.3, show_default=True, type=click.FloatRange(0.05), help="Watch: seconds to wait.")
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Watch: serve /metrics for Prometheus there.")
@click.option("--log", type=click.Choice(["text", "json"]), help="Log each document as an event on standard error.")
@click.option("--verbose", is_flag=True, help="Show the log.")
@click.pass_context
def run(context: click.Context, /, inputs: Sequence[str], **options: Any) -> None:
    """Structure INPUT (files, folders, globs, any Beam filesystem) into the graph.

    Options that are not listed here go to Beam: --runner, --streaming, --temp_location, ...

    \b
    Examples: tripleflow run contracts/ 'mail/*.eml' --register companies.csv --parquet tables
              tripleflow run reports/ --graph bolt://localhost:7687 --workers 2
              tripleflow run --watch inbox/ --metrics-port 9464 --log json
    """
    from pipelines.running import run_job, run_watch

    for name in ("interval", "metrics_port"):
        if not options["watch"] and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')}: only a watch takes it; add --watch, or leave it out")
    sys.exit((run_watch if options["watch"] else run_job)(list(inputs), options))


@cli.group(cls=Suggesting)
def models() -> None:
    """List and verify model bundles.

    \b
    Example: tripleflow models verify transforms/bundles/enterprise
    """


@models.command("list")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def list_models(form: str) -> None:
    """List the bundles that ship.

    \b
    Example: tripleflow models list
    """
    from pipelines.output import show
    from transforms.bundle import BUNDLES, MANIFEST, verify

    rows = []
    for path in sorted(BUNDLES.glob(f"*/{MANIFEST}")):
        found = verify(path.parent)
        size = sum(file.stat().st_size for file in path.parent.iterdir())
        rows.append({"bundle": found.model, "task": found.task, "MB": round(size / 1e6, 1), "folder": str(path.parent)})
    show(rows, form)


@models.command("verify")
@click.argument("bundle", required=False)
def verify_model(bundle: str | None) -> None:
    """Check a bundle's files against its manifest, and load it; a folder, or the name of one that ships.

    \b
    Example: tripleflow models verify medical-events
    """
    from transforms.bundle import DEFAULT_BUNDLE, find_bundle, load_bundle, verify

    found = verify(find_bundle(bundle or DEFAULT_BUNDLE))
    if found.task == "structure":
        load_bundle(found.path)
    click.echo(f"{found.model}: {len(found.get('files'))} files are as they were exported")


@cli.group("dead-letters", cls=Suggesting)
def dead_letters() -> None:
    """See what failed, and try it again.

    \b
    Example: tripleflow dead-letters list
    """


letters_option = click.option("--dead-letters", "folder", default="dead-letters", show_default=True, metavar="DIR")


@dead_letters.command("list")
@letters_option
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def list_letters(folder: str, form: str) -> None:
    """One line for each input that failed last time.

    \b
    Example: tripleflow dead-letters list --format json
    """
    from pipelines.output import show
    from transforms.letter_box import read_letters

    filed = read_letters(Path(folder))
    show([{"id": f.letter.id[:13], "stage": f.letter.stage, "cause": f.letter.cause} for f in filed], form)


@dead_letters.command("show")
@click.argument("letter")
@letters_option
def show_letter(letter: str, folder: str) -> None:
    """Everything about one dead letter, by its id or the beginning of it.

    \b
    Example: tripleflow dead-letters show dead-3f2a
    """
    from dataclasses import asdict

    from pipelines.output import show
    from transforms.letter_box import read_letters

    found = [f for f in read_letters(Path(folder)) if f.letter.id.startswith(letter)]
    if not found:
        raise click.UsageError(f"no dead letter {letter!r} in {folder}; see: tripleflow dead-letters list")
    show([{"run": f.run, **asdict(f.letter)} for f in found], "json")


_AS_BEFORE = "That of the run which failed, without it."


@dead_letters.command("replay")
@letters_option
@click.option("--graph", metavar="URI|DIR", help=_AS_BEFORE)
@click.option("--schema", metavar="S.yaml", help=_AS_BEFORE)
@click.option("--register", metavar="FILE", help=_AS_BEFORE)
@click.option(
    "--parquet", metavar="NEW-DIR", help="Tables of what is replayed; a folder of its own, since a run replaces tables."
)
@click.option("--model", metavar="DIR", help=_AS_BEFORE)
@click.option("--text-column", help=_AS_BEFORE)
@limit_option
def replay(folder: str, **options: Any) -> None:
    """Run the inputs of all dead letters again; those that succeed are dropped from the list.

    \b
    Example: tripleflow dead-letters replay --limit max_seconds=3600
    """
    from pipelines.running import run_again

    sys.exit(run_again(folder, {**options, "target": usual_graph()}))


def register_commands() -> None:
    """Add the commands that need a graph, which take longer to import."""
    from pipelines.graph_commands import graph, retract, view
    from pipelines.query_commands import query
    from pipelines.upkeep_commands import diff, resolve

    for command in (query, view, retract, resolve, diff, graph):
        cli.add_command(command)


def main() -> None:
    """Run a command; what goes wrong is one line, and exit code 2."""
    warnings.filterwarnings("ignore")
    logging.basicConfig(level=logging.ERROR)
    register_commands()
    try:
        cli.main(prog_name="tripleflow", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.stdout.flush()
        # Not sys.exit: a thread of Beam that the interrupt kept from being told to end would be waited for in vain.
        os._exit(130)
    except click.ClickException as error:
        _fail(error.format_message())
    except (ValueError, RuntimeError, OSError) as error:
        _fail(" ".join(str(error).split()))


def _fail(message: str) -> None:
    from pipelines.output import printable

    click.echo(printable(f"tripleflow: {message}"), err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
