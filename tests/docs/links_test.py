#!/usr/bin/env python3
"""Every link of README and docs leads somewhere, and docs/README.md lists every page.

Usage: links_test.py ROOT
"""

import re
import sys
from pathlib import Path


def without_code(text):
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)


def anchors_of(path):
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for line in re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S).splitlines():
        heading = re.match(r"#+ (.*)", line)
        if heading:
            text = re.sub(r"[^\w\- ]", "", heading[1].lower())
            found.add(text.replace(" ", "-"))
    return found


def problems_of(page, root):
    for text, link in re.findall(r"\[([^\]]*)\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists():
            yield f"{page.relative_to(root)}: '{text}' leads to {link}, which is not there"
        elif anchor and anchor not in anchors_of(target):
            yield f"{page.relative_to(root)}: '{text}' leads to {link}, which has no such heading"


def main():
    root = Path(sys.argv[1]).resolve()
    pages = [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("bench/**/*.md"), *root.glob("examples/**/*.md")]
    problems = [problem for page in pages for problem in problems_of(page, root)]
    index = (root / "docs/README.md").read_text(encoding="utf-8")
    problems += [f"docs/README.md does not list {page.name}" for page in root.glob("docs/*.md")
                 if page.name != "README.md" and f"({page.name}" not in index]
    print("\n".join(problems) or f"{len(pages)} pages, all links lead somewhere")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
