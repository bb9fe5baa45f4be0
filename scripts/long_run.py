#!/usr/bin/env python3
"""Trains for a long time and checks that memory and open files do not grow after the second epoch.

    cargo build --release && scripts/long_run.py [--minutes 60] [--program FILE] [-- FLAGS OF thawline run]

The time after two epochs is split into two halves. From the first to the second, the minimum and the maximum of resident
memory may grow by 1 % at most, and those of open files not at all. (Both go up and down, because checkpoints are built in
memory and written.) At the end the program is interrupted as by Ctrl-C and must exit with code 130. MALLOC_MMAP_THRESHOLD_
makes glibc return large freed blocks at once, so that resident memory is what the program uses. Linux only.
"""

import argparse
import csv
import datetime
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLE_EVERY = 0.25  # seconds
SETTLED = 2  # epochs
TOLERANCE = 1.01
INTERRUPTED = 130


def resident_mb(process):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    sys.exit("long_run: the program has ended on its own")


def open_files(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def epochs(run):
    """The number of finished epochs; the file is replaced after each."""
    try:
        with open(run / "metrics.csv", newline="") as rows:
            return sum(1 for _ in csv.DictReader(rows))
    except FileNotFoundError:
        return 0


def watch(process, run, seconds):
    """Yields (seconds, epochs, MB, files)."""
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        if process.poll() is not None:
            sys.exit(f"long_run: the program ended with {process.returncode} after {elapsed:.0f} s")
        yield elapsed, epochs(run), resident_mb(process), open_files(process)
        time.sleep(SAMPLE_EVERY)


def main():
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--program", default=str(target / "release" / "thawline"))
    arguments.add_argument("flags", nargs="*", metavar="FLAG", help="flags of thawline run, after --")
    options = arguments.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        command = [options.program, "run", "--epochs", "1000000", "--quiet", "--out", str(run), *options.flags]
        errors = Path(scratch) / "stderr"
        with open(errors, "w") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr,
                                       env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"})
        samples, shown = [], 0
        try:
            print(f"{datetime.date.today().isoformat()}, {' '.join(command[1:4])} ..., watched for {options.minutes:g} minutes")
            print("minute  epochs  resident MB  open files", flush=True)
            for sample in watch(process, run, 60 * options.minutes):
                samples.append(sample)
                elapsed, done, memory, files = sample
                if elapsed >= shown:
                    print(f"{elapsed / 60:6.1f}  {done:6}  {memory:11.1f}  {files:10}", flush=True)
                    shown += 60 * options.minutes / 12
            process.send_signal(signal.SIGINT)
            code = process.wait(timeout=60)
        finally:
            process.kill()
            if process.returncode != INTERRUPTED:
                print(errors.read_text()[-2000:], end="", file=sys.stderr)

    settled = [sample for sample in samples if sample[1] >= SETTLED]
    if len(settled) < 2:
        sys.exit(f"long_run: fewer than {SETTLED} epochs in {options.minutes:g} minutes; use more --minutes")
    halves = settled[:len(settled) // 2], settled[len(settled) // 2:]
    (least, most), (least_later, most_later) = (extremes(half, 2) for half in halves)
    files, files_later = (extremes(half, 3) for half in halves)
    print(f"{settled[-1][1]} epochs; resident {least:.1f} to {most:.1f} MB in the first half, {least_later:.1f} to {most_later:.1f} MB "
          f"in the second; open files {files[0]} to {files[1]}, {files_later[0]} to {files_later[1]}; exit code {code}")
    grew = least_later > least * TOLERANCE or most_later > most * TOLERANCE or files_later[0] > files[0] or files_later[1] > files[1]
    if grew or code != INTERRUPTED:
        sys.exit("long_run: FAILED")


def extremes(samples, column):
    values = [sample[column] for sample in samples]
    return min(values), max(values)


if __name__ == "__main__":
    main()
