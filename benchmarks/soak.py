"""Watch a folder for a long time while files come, change and go and the watch is killed; is anything lost or doubled?

    python -m benchmarks.soak --minutes 30 --files 2000 --kills 3 --plot docs/watch-memory.svg

At the end the graph is compared with that of a fresh run over what the folder holds then; exits with 1 if it differs.
Prints how long files took to the graph, and the memory of the watch's processes and of the graph server.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click

from benchmarks.generated import documents
from kg_sink import server
from kg_sink.connection import resolve_target
from kg_sink.exporting import canonical_export
from kg_sink.sources import read_sources

ROOT = Path(__file__).parent.parent
_SAMPLED = 5.0  # seconds between two looks at memory
_PATIENCE = 300.0  # seconds that the watch has to come to rest in the end
_STATEMENTS = 6  # of a file: a page or so


@dataclass
class Watched:
    """The folder, the watch over it, and what was seen of both."""

    folder: Path
    started: float = field(default_factory=time.monotonic)
    memory: list[tuple[float, float, float]] = field(default_factory=list)  # seconds, MB of the watch, MB of the server

    def start(self) -> None:
        """Start the watch."""
        command = [sys.executable, "-m", "pipelines.cli", "run", "--watch", "in", "--graph", "kg", "--log", "json"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}
            )

    def kill(self) -> None:
        """SIGKILL, and start again."""
        self.process.kill()
        self.process.wait()
        self.start()

    def sample(self) -> None:
        """Note the memory of the watch with its readers, and of the server."""
        running = server.status(self.folder / "kg")
        kept = resident(running.pid) if running else 0.0
        self.memory.append((time.monotonic() - self.started, resident(self.process.pid, children=True), kept))

    def events(self) -> list[dict[str, object]]:
        """What the watch logged."""
        lines = (self.folder / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def stamps(self) -> dict[str, str]:
        """File → stamp, as the graph remembers them."""
        return {path: stamp for path, (stamp, _) in read_sources(resolve_target(str(self.folder / "kg"))).items()}


def resident(pid: int, *, children: bool = False) -> float:
    """Resident MB of a process, with its children if asked for; 0 if it has ended."""
    total = 0.0
    try:
        total += int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) / 1024
        if children:
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                total += resident(int(child))
    except (OSError, IndexError):
        pass
    return total


def _act(inbox: Path, chance: random.Random, texts: list[str]) -> None:
    """One file comes, changes or goes."""
    there = sorted(inbox.iterdir())
    choice = chance.random()
    if there and choice < 0.15:
        chance.choice(there).unlink()
    elif there and choice < 0.45:
        chance.choice(there).write_text(chance.choice(texts))
    else:
        part = inbox.parent / "part"
        part.write_text(chance.choice(texts))
        part.rename(inbox / f"{chance.randrange(10**9):09}.txt")


def _wait_for_rest(watched: Watched, inbox: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        there = {str(path): f"{path.stat().st_size}:{path.stat().st_mtime:.6f}" for path in inbox.iterdir()}
        if watched.stamps() == there:
            return
        time.sleep(1)
    raise RuntimeError(f"the watch has not come to rest in {_PATIENCE:.0f} s; see {watched.folder / 'log'}")


def plot(memory: list[tuple[float, float, float]], path: Path) -> None:
    """Draw memory over time as an SVG."""
    width, height = 800, 240
    longest, most = memory[-1][0], 1.1 * max(max(one, other) for _, one, other in memory)
    lines = []
    for column, colour, name in ((1, "#0072B2", "watch and its readers"), (2, "#D55E00", "graph server")):
        points = " ".join(
            f"{50 + width * row[0] / longest:.1f},{height * (1 - row[column] / most):.1f}" for row in memory
        )
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        lines.append(f'<text x="{60 + 220 * (column - 1)}" y="{height + 34}" fill="{colour}">{name}</text>')
    scale = f'<text x="0" y="12">{most:.0f} MB</text><text x="0" y="{height}">0</text>'
    scale += f'<text x="{width - 20}" y="{height + 34}">{longest / 60:.0f} min</text>'
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 60} {height + 44}" font-family="sans-serif" '
        f'font-size="12"><rect x="50" width="{width}" height="{height}" fill="#f4f4f4"/>{scale}{"".join(lines)}</svg>\n'
    )


def _run(watched: Watched, inbox: Path, minutes: float, files: int, kills: int, chance: random.Random) -> None:
    texts = [found.resolved.analysis.document.text for found in documents(files, 7, files // 2, _STATEMENTS)]
    moments = sorted(chance.uniform(0, minutes * 60) for _ in range(files))
    strikes = sorted(chance.uniform(0, minutes * 60) for _ in range(kills))
    begin, sampled = time.monotonic(), 0.0
    while moments:
        now = time.monotonic() - begin
        while moments and moments[0] <= now:
            moments.pop(0)
            _act(inbox, chance, texts)
        if strikes and strikes[0] <= now:
            strikes.pop(0)
            watched.kill()
        if now - sampled >= _SAMPLED:
            sampled = now
            watched.sample()
        time.sleep(0.05)


def _fresh(folder: Path) -> list[str]:
    command = [sys.executable, "-m", "pipelines.cli", "run", "in", "--graph", "fresh"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    return canonical_export(resolve_target(str(folder / "fresh")))


@click.command()
@click.option("--minutes", default=30.0, show_default=True)
@click.option("--files", default=2000, show_default=True, help="How often a file comes, changes or goes.")
@click.option("--kills", default=3, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--plot", "picture", metavar="FILE", help="Draw the memory as an SVG.")
def main(minutes: float, files: int, kills: int, seed: int, picture: str | None) -> None:
    """Watch, and compare; exit with 1 if the graph is not that of a fresh run."""
    folder = Path(tempfile.mkdtemp(prefix="tripleflow-soak-"))
    inbox = folder / "in"
    inbox.mkdir()
    watched = Watched(folder)
    try:
        watched.start()
        _run(watched, inbox, minutes, files, kills, random.Random(seed))
        _wait_for_rest(watched, inbox)
        watched.process.send_signal(signal.SIGTERM)
        watched.process.wait()
        equal = canonical_export(resolve_target(str(folder / "kg"))) == _fresh(folder)
    finally:
        watched.process.kill()
        for name in ("kg", "fresh"):
            if (folder / name).exists():
                server.wipe(folder / name)
    _report(watched, files, kills, equal)
    if picture:
        plot(watched.memory, Path(picture))
    sys.exit(0 if equal else 1)


def _report(watched: Watched, files: int, kills: int, equal: bool) -> None:
    rounds = [event for event in watched.events() if event["event"] == "round"]
    quarter = max(1, len(watched.memory) // 4)
    print(f"{files} times a file came, changed or went, in {watched.memory[-1][0] / 60:.1f} min; {kills} kills")
    print(f"{len(rounds)} rounds, median {statistics.median(float(str(r['seconds'])) for r in rounds):.2f} s")
    for column, name in ((1, "watch and its readers"), (2, "graph server")):
        values = [row[column] for row in watched.memory]
        early, late = statistics.median(values[quarter : 2 * quarter]), statistics.median(values[-quarter:])
        print(f"{name}: {early:.0f} MB in the second quarter, {late:.0f} MB in the last, {max(values):.0f} MB at most")
    print("the graph equals that of a fresh run" if equal else "THE GRAPH DIFFERS from that of a fresh run")


if __name__ == "__main__":
    main()
