#!/usr/bin/env python3
"""Preprocessor of mdBook, called by docs/book.toml: links that leave docs/, or lead to docs/records, point to the repository.
It also removes the TeX source from the MathML of mdbook-katex, and escapes underscores, which Markdown would read as emphasis."""

import json
import posixpath
import re
import sys

REPOSITORY = "https://github.com/thawline/thawline/blob/main/"


def rewritten(text, folder):
    def target(link):
        path, hash, fragment = link[1].partition("#")
        path = posixpath.normpath(posixpath.join("docs", folder, path))
        page = path.startswith("docs/") and not path.startswith("docs/records/")
        return link[0] if page else f"]({REPOSITORY}{path}{hash}{fragment})"

    text = re.sub(r"<annotation.*?</annotation>", "", text, flags=re.DOTALL)
    text = re.sub(r"<math.*?</math>", lambda formula: formula[0].replace("_", "&#95;"), text, flags=re.DOTALL)
    return re.sub(r"\]\((?!\w+:|#)([^)\s]+)\)", target, text)


def visit(items):
    for chapter in (item["Chapter"] for item in items if isinstance(item, dict) and "Chapter" in item):
        chapter["content"] = rewritten(chapter["content"], posixpath.dirname(chapter["path"] or ""))
        visit(chapter["sub_items"])


if sys.argv[1:2] == ["supports"]:
    sys.exit(0)
_, book = json.load(sys.stdin)
visit(book["items"])
json.dump(book, sys.stdout)
