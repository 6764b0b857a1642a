"""Timeline: counts by period as an HTML page of two bar charts, with nothing to load."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

Row = dict[str, Any]

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 14px sans-serif; margin: 2em }} rect:hover {{ opacity: 0.6 }}</style></head>
<body><h1>{title}</h1>{charts}</body></html>
"""
_WIDTH, _HEIGHT = 960, 160  # pixels of a chart's bars
_COLOURS = {"documents": "#0072B2", "evidence": "#D55E00"}


def render_timeline(rows: Sequence[Row], title: str) -> str:
    """Rows of `period`, `documents` and `evidence` (`queries.TIMELINE`) as a page; each bar says its numbers."""
    charts = "".join(_chart(rows, name) for name in _COLOURS) if rows else "<p>nothing to draw</p>"
    return _PAGE.format(title=escape(title), charts=charts)


def _chart(rows: Sequence[Row], name: str) -> str:
    most = max(row[name] for row in rows) or 1
    step = _WIDTH / len(rows)
    bars = []
    for place, row in enumerate(rows):
        height = _HEIGHT * row[name] / most
        text = escape(f"{row['period']}: {row[name]:,} {name}")
        bars.append(
            f'<rect x="{place * step:.1f}" y="{_HEIGHT - height:.1f}" width="{max(1.0, step * 0.8):.1f}"'
            f' height="{height:.1f}" fill="{_COLOURS[name]}"><title>{text}</title></rect>'
        )
    ends = f"{escape(str(rows[0]['period']))} – {escape(str(rows[-1]['period']))}"
    return (
        f'<h2>{name}, at most {most:,}</h2><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}">'
        f"{''.join(bars)}</svg><p>{ends}</p>"
    )
