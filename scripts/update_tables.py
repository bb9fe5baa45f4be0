#!/usr/bin/env python3
"""Measures this machine and updates the tables of docs/winograd.md, docs/performance.md and README.md.

    cargo build --release && scripts/update_tables.py [ladder] [errors] [bench] [rivals] [peers]

ladder   each convolution at each SIMD level, by `thawline bench`         docs/winograd.md
errors   the output of the test numerics/winograd_error.rs                docs/winograd.md
bench    the output of `thawline bench`                                   docs/performance.md
rivals   other libraries' matrix products, by benches/rivals              docs/performance.md and benches/records/
peers    the newest record of `scripts/compare_peers.sh steps`            README.md

Run nothing else meanwhile. All tables together take about three minutes once everything is compiled. Each table of times says
when, where and under what load it was measured. The script replaces the text between <!-- begin NAME --> and
<!-- end NAME --> and nothing else.
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
RECORDS = REPOSITORY / "benches" / "records"
sys.dont_write_bytecode = True
sys.path.insert(0, str(REPOSITORY / "scripts" / "peers"))
import machine  # noqa: E402

PASSES = ("forward", "input gradient", "kernel gradient")
RUNGS = ("naive", "im2col", "implicit", "winograd")
TABLES = ("ladder", "errors", "bench", "rivals", "peers")
TIMES = {"ladder", "bench", "rivals"}
BUSY = 0.5  # a load average above this is worth a warning


# -- measuring

def bench(options, *arguments):
    return output([options.thawline, "bench", *arguments])


def machines_roof(options):
    return json.loads(bench(options, "--only", "peak", "--json"))


def output(command):
    say(" ".join(command))
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    if done.returncode != 0:
        sys.exit(f"update_tables: {' '.join(command)} ended with {done.returncode}")
    return done.stdout


def caption(roof):
    """Where and when, with a warning if the machine was busy."""
    environment, load = roof["environment"], roof["load_average"] or 0
    sentences = [f"{machine.describe()['cpu']}, {environment['logical_cpus']} logical CPUs, {environment['os']},",
                 f"{environment['rustc']}, {datetime.date.today().isoformat()}."]
    if load > BUSY:
        sentences.append(f"The machine was not idle (load average {load:.1f} at the start): times may be too long, and shares of "
                         "peak and roofline too small.")
    return textwrap.fill(" ".join(sentences), 120)


# -- tables

def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def ladder(roof, by_level):
    rows = []
    for which in PASSES:
        for rung in RUNGS:
            cells = []
            for record in by_level.values():
                row = convolution(record, which, rung)
                cells.append(f"{row['gflops']:.1f} ({100 * row['share_of_peak']:.0f} %)")
            rows.append([f"{which}, {rung}", *cells])
    return table(["conv2", *by_level], rows) + "\n\n" + caption(roof)


def errors():
    """The table that the test prints."""
    command = ["cargo", "test", "--quiet", "--package", "thawline-tensor", "--test", "numerics", "winograd_error", "--", "--nocapture"]
    return "\n".join(table_lines(output(command), command))


def table_lines(text, command):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    if len(lines) < 3:  # the header, the rule and a row
        sys.exit(f"update_tables: {' '.join(command)} printed no table with rows")
    return lines


def convolution(record, which, rung):
    return next(row for row in record["kernels"]
                if row["group"] == f"conv2 {which}" and row["name"].startswith(f"{rung},"))


# -- writing

def rivals(page):
    """Writes the output as a record, and its table with a link to it into the page."""
    command = ["cargo", "run", "--release", "--manifest-path", "benches/rivals/Cargo.toml"]
    text = output(command)
    table_lines(text, command)
    record = RECORDS / f"{datetime.date.today().isoformat()}-rivals-{machine.slug(machine.describe())}.md"
    replace(record, text)
    rest = text.split("\n\n", 1)[1]  # after the title
    replace_table(page, "rivals", f"{rest.rstrip()}\n\nThe record: [{record.name}](../benches/records/{record.name}).")


def peers(page):
    """The newest record of compare_peers.sh without its title; the date is in the file's name."""
    record = max(RECORDS.glob("*-peers-steps-*.md"), default=None)
    if record is None:
        sys.exit(f"update_tables: {RECORDS} has no record *-peers-steps-*.md; run scripts/compare_peers.sh steps")
    _, place, table_of_peers, explanation, _ = record.read_text().split("\n\n")
    link = f"[the record](benches/records/{record.name}) of {record.name[:10]}"
    if float(re.search(r"start: ([\d.]+)\.", place)[1]) > BUSY:
        explanation += " The machine was not idle, which can slow one library more than another, so trust the ratios to one digit at most."
    replace_table(page, "peers", f"{textwrap.fill(place, 120)}\n\n{table_of_peers}\n\n{textwrap.fill(explanation, 120)} From {link}.")


def replace_table(page, name, content):
    block = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    text, found = block.subn(lambda match: match[1] + content + "\n" + match[2], page.read_text())
    if found != 1:
        sys.exit(f"update_tables: {page} has {found} tables called {name}, expected 1")
    replace(page, text)


def replace(path, text):
    """Writes the file completely or not at all."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text)
    unfinished.replace(path)
    say(f"written: {path.relative_to(REPOSITORY)}")


def say(message):
    print(message, file=sys.stderr, flush=True)


def main():
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("tables", nargs="*", metavar="TABLE", help=f"{', '.join(TABLES[:-1])} or {TABLES[-1]}; default: all")
    arguments.add_argument("--thawline", default=str(target / "release" / "thawline"), help="the program")
    options = arguments.parse_args()
    unknown = set(options.tables) - set(TABLES)
    if unknown:
        arguments.error(f"unknown table {', '.join(sorted(unknown))}; expected some of {', '.join(TABLES)}")
    wanted = options.tables or TABLES

    load = os.getloadavg()[0]
    if load > BUSY and TIMES & set(wanted):
        say(f"warning: the load average is {load:.1f}: times taken on a busy machine mislead; the tables will say so")
    winograd, performance, readme = (REPOSITORY / page for page in ("docs/winograd.md", "docs/performance.md", "README.md"))
    if "bench" in wanted:
        roof, text = machines_roof(options), bench(options).rstrip()
        replace_table(performance, "bench", f"{caption(roof)}\n\n```\n{text}\n```")
    if "ladder" in wanted:
        roof = machines_roof(options)
        by_level = {level: json.loads(bench(options, "--only", "kernels", "--json", "--threads", "1", "--simd", level))
                    for level in dict.fromkeys(peak["level"] for peak in roof["peaks"])}
        replace_table(winograd, "ladder", ladder(roof, by_level))
    if "errors" in wanted:
        replace_table(winograd, "errors", errors())
    if "rivals" in wanted:
        rivals(performance)
    if "peers" in wanted:
        peers(readme)


if __name__ == "__main__":
    main()
