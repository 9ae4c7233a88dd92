"""Draws docs/ask.svg, the README's picture: runs the README's question for real and draws what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
COLUMNS = 112
QUESTION = "Which mission brought back the largest amount of lunar samples?"

# Rich's own template fetches its fonts from the network; this one takes what the reader has.
TEMPLATE = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px;
  line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}"
  height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def main() -> None:
    """Run the question in a data folder of its own, and draw the terminal."""
    with tempfile.TemporaryDirectory() as data:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("UNABR", "OPENAI"))}
        done = subprocess.run(
            [sys.executable, "-m", "service", "ask", "examples/apollo", QUESTION],
            cwd=ROOT,
            env={**kept, "UNABRIDGED_DATA": data, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(f'[bold]$ unabridged ask examples/apollo "{QUESTION}"[/]')
        console.print(Text.from_ansi(done.stdout))
        console.save_svg(
            str(ROOT / "docs" / "ask.svg"), title="unabridged", code_format=TEMPLATE, unique_id="ask"
        )


if __name__ == "__main__":
    main()
