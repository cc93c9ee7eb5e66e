#!/usr/bin/env python3
"""Draws text with the colours of terminals (ECMA-48, SGR) as an SVG: the pictures of docs.

Usage: draw_terminal.py TEXT PICTURE.svg "what the picture shows"

docs/tagged.svg is the output of a model that scripts/quickstart.sh trained:

  M=build/quickstart-model
  {
    echo '$ onoma tag --model my-model --file news.txt'
    build/onoma tag --model $M --color always --file examples/data/news.txt
    printf '\\n$ onoma evaluate --model my-model test.conll\\n'
    build/onoma evaluate --model $M examples/data/test.conll
  } > screen.txt
  scripts/draw_terminal.py screen.txt docs/tagged.svg "Sentences with their entities in colour, and scores"
"""

import re
import sys
from html import escape

# The colours of a dark terminal; each is readable on the background (contrast of 4.5 and more).
COLORS = {32: "#7ec87e", 33: "#e5c07b", 34: "#7aa2f7", 35: "#d894e8", 36: "#5cc8c8",
          92: "#b5e853", 94: "#9ab8ff", 95: "#ff9ac1", 96: "#9be8e8"}
BACKGROUND, TEXT, PROMPT = "#1b1f27", "#d7dae0", "#8b93a1"
SIZE, ADVANCE, LINE, MARGIN = 14, 8.43, 20, 18


def spans(line):
    """(text, colour number or None, bold) of one line."""
    color, bold = None, False
    for piece in re.split(r"(\033\[[0-9;]*m)", line):
        code = re.fullmatch(r"\033\[([0-9;]*)m", piece)
        if not code:
            if piece:
                yield piece, color, bold
            continue
        for number in (int(n or 0) for n in code[1].split(";")):
            if number == 0:
                color, bold = None, False
            elif number == 1:
                bold = True
            else:
                color = number


def draw(lines, title):
    plain = [re.sub(r"\033\[[0-9;]*m", "", line) for line in lines]
    width = round(2 * MARGIN + ADVANCE * max(map(len, plain)))
    height = 2 * MARGIN + LINE * len(lines)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
           f'height="{height}" role="img">', f"<title>{escape(title)}</title>",
           f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
           f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" '
           f'font-size="{SIZE}" fill="{TEXT}" xml:space="preserve">']
    for i, line in enumerate(lines):
        y = MARGIN + LINE * i + SIZE
        if not plain[i]:
            continue
        column, parts = 0, []
        for text, color, bold in spans(line):
            # Each span has its place, so that fonts of other widths keep the columns.
            style = f' fill="{COLORS.get(color, TEXT)}"' if color else ""
            style += ' font-weight="bold"' if bold else ""
            style += f' fill="{PROMPT}"' if plain[i].startswith("$ ") else ""
            parts.append(f'<tspan x="{MARGIN + ADVANCE * column:.1f}" textLength="{ADVANCE * len(text):.1f}"'
                         f"{style}>{escape(text)}</tspan>")
            column += len(text)
        out.append(f'<text y="{y}">{"".join(parts)}</text>')
    return "\n".join(out + ["</g>", "</svg>"]) + "\n"


def main():
    source, target, title = sys.argv[1:]
    lines = open(source, encoding="utf-8").read().rstrip("\n").split("\n")
    with open(target, "w", encoding="utf-8") as file:
        file.write(draw(lines, title))


if __name__ == "__main__":
    main()
