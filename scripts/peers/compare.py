#!/usr/bin/env python3
"""Times Thawline, Keras, PyTorch, burn and candle here: steps in interleaved rounds, so that other load affects all
equally; the whole experiment once each.

    compare_peers.sh steps                              milliseconds per training step; takes ten minutes
    compare_peers.sh experiment --data DIR              the whole tutorial, 2 x 20 epochs; takes an hour

It installs nothing. It needs:
    Thawline     built: cargo build --release
    PyTorch      python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch numpy          --torch /tmp/torch/bin/python
    Keras        python3 -m venv /tmp/keras && /tmp/keras/bin/pip install tensorflow-cpu       --keras /tmp/keras/bin/python
    burn, candle cargo build --release --manifest-path scripts/peers/rust/Cargo.toml (ten minutes); for `steps` only
                                                               --rust scripts/peers/rust/target/release
    pictures     for `experiment` only: the folder cifar-10-batches-bin of the binary release  --data DIR
Without its Python (--torch or TORCH_PYTHON, --keras or KERAS_PYTHON) or its folder (--rust or RUST_PEERS) a peer is left
out, and the record says so.

It prints a Markdown table of medians and ratios, and writes it and each timing to benches/records/ (--records).
`scripts/update_tables.py peers` copies the newest record of `steps` into the README.
Run nothing else meanwhile: the load average is part of the record.
"""

import argparse
import datetime
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
import machine
from participants import TASKS, Peer, Thawline, Trouble, experiment_of_peer, experiment_of_thawline

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
SETTLE_SECONDS = 0.5  # so that the last participant's thread pool goes to sleep

# label: (which option names its Python or folder, script or program, arguments)
STEP_PEERS = {
    "Keras": ("keras", "peer_keras.py", ["--variant", "fp32"]),
    "PyTorch eager": ("torch", "peer_torch.py", ["--variant", "eager"]),
    "PyTorch channels_last": ("torch", "peer_torch.py", ["--variant", "channels_last"]),
    "PyTorch channels_last bf16": ("torch", "peer_torch.py", ["--variant", "bf16"]),
    "burn": ("rust", "burn_peer", []),
    "candle": ("rust", "candle_peer", []),
}
EXPERIMENT_PEERS = {
    "Keras, as in the tutorial": ("keras", "peer_keras.py", ["--variant", "fp32"]),
    "PyTorch bf16, features computed once": ("torch", "peer_torch.py", ["--variant", "bf16", "--cached-features"]),
}


# -- milliseconds per step

def compare_steps(options):
    bench = ["bench", "--only", "steps", "--json", "--threads", str(options.threads)]
    participants = [Thawline("Thawline", shlex.split(options.thawline) + bench)]
    times = {}
    try:
        for label, command in peer_commands(STEP_PEERS, options).items():
            participants.append(Peer(label, command))
        for round_number in range(options.rounds):
            # Each round starts with the next participant, so that none always runs after the same one.
            first = round_number % len(participants)
            for participant in participants[first:] + participants[:first]:
                time.sleep(SETTLE_SECONDS)
                for task, measured in participant.measure(options.steps).items():
                    times.setdefault(participant.label, {}).setdefault(task, []).append(measured)
            say(f"round {round_number + 1} of {options.rounds}: "
                + ", ".join(f"{label} {statistics.median(of['model_1'][-1]):.0f} ms" for label, of in times.items()))
    finally:
        for participant in participants:
            participant.close()

    results = {
        participant.label: {
            "introduction": participant.introduction,
            # The median of each round, then of the rounds, so that a disturbed round counts only once.
            **{task: summary([statistics.median(t) for t in times[participant.label][task]]) for task in TASKS},
            "times_ms": times[participant.label],
        }
        for participant in participants
    }
    return results, steps_table(results, options)


def summary(medians):
    quartiles = statistics.quantiles(medians, n=4, method="inclusive") if len(medians) > 1 else medians * 3
    return {"median_ms": round(statistics.median(medians), 3), "quartiles_ms": [round(quartiles[0], 3), round(quartiles[2], 3)]}


def steps_table(results, options):
    ours = results["Thawline"]
    lines = [
        f"| one step of {options.batch} pictures, {options.threads} threads "
        "| model_1, training | model_2, training (frozen, not cached) | frozen features alone |",
        "|---|---|---|---|",
    ]
    for label, result in results.items():
        cells = []
        for task in TASKS:
            median = result[task]["median_ms"]
            ratio = median / ours[task]["median_ms"]
            digits = 1 if ratio < 10 else 0
            cells.append(f"{median:.1f} ms" if result is ours else f"{median:.1f} ms ({ratio:.{digits}f}x)")
        lines.append(f"| {title(label, result)} | " + " | ".join(cells) + " |")
    spread = max(
        (result[task]["quartiles_ms"][1] - result[task]["quartiles_ms"][0]) / result[task]["median_ms"]
        for result in results.values() for task in TASKS
    )
    lines += ["", f"Medians of {options.rounds} interleaved rounds of {options.steps} steps each; in parentheses, the ratio to "
              f"Thawline's. The widest interquartile range of a cell is {100 * spread:.0f} % of its median."]
    return lines


# -- the whole experiment

def compare_experiments(options):
    if not options.data:
        raise Trouble("experiment: name the folder cifar-10-batches-bin with --data")
    results = {}

    def run(label, function, *arguments):
        time.sleep(SETTLE_SECONDS)
        began = time.perf_counter()
        introduction, models = function(label, *arguments)
        process_seconds = round(time.perf_counter() - began, 1)
        results[label] = {"introduction": introduction, "process_seconds": process_seconds, **models}
        say(f"{label}: {process_seconds} s")

    with tempfile.TemporaryDirectory() as scratch:
        run_folder = f"{scratch}/run"
        command = shlex.split(options.thawline) + [
            "run", "--data", options.data, "--epochs", str(options.epochs), "--threads", str(options.threads),
            "--batch-size", str(options.batch), "--seed", str(options.seed), "--out", run_folder, "--quiet"]
        run("Thawline", experiment_of_thawline, command, run_folder)
    for label, command in peer_commands(EXPERIMENT_PEERS, options).items():
        experiment = ["--experiment", options.data, "--epochs", str(options.epochs), "--seed", str(options.seed)]
        run(label, experiment_of_peer, command + experiment)
    return results, experiments_table(results, options)


def experiments_table(results, options):
    def both(result):
        return result["model_1"]["total_seconds"] + result["model_2"]["total_seconds"]

    ours = results["Thawline"]
    lines = [
        f"| {options.epochs} epochs per model, {options.threads} threads "
        "| model_1 | model_2, features included | both | whole process | model_1 accuracy | model_2 accuracy |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, result in results.items():
        seconds = [(r["model_1"]["total_seconds"], r["model_2"]["total_seconds"], both(r), r["process_seconds"])
                   for r in (result, ours)]
        cells = [f"{s:.1f} s" if result is ours else f"{s:.1f} s ({s / o:.2f}x)" for s, o in zip(*seconds)]
        cells += [f"{100 * result[model]['val_accuracy'][-1]:.1f} %" for model in ("model_1", "model_2")]
        lines.append(f"| {title(label, result)} | " + " | ".join(cells) + " |")
    lines += ["", "One run each, one after the other, on the same pictures; in parentheses the ratio to Thawline's. Accuracies are "
              "on the test halves after the last epoch. \"Whole process\" includes starting up and loading; for Thawline, "
              "writing the report as well."]
    return lines


# -- shared by both

def peer_commands(peers, options):
    """{label: command} of the peers that are there; reports those that are left out."""
    commands = {}
    for label, (which, script, arguments) in peers.items():
        place = getattr(options, which)
        if not place:
            say(f"left out: {label} (name its {'folder' if which == 'rust' else 'Python'} with --{which})")
            continue
        if which == "rust":
            commands[label] = [str(Path(place) / script), str(options.batch)]
        else:
            commands[label] = [place, str(HERE / script), *arguments,
                               "--threads", str(options.threads), "--batch", str(options.batch)]
    return commands


def title(label, result):
    return f"{label} ({result['introduction']['version']})"


def write_record(kind, options, place, results, table):
    """Writes a JSON file with everything and a Markdown file to read, each completely or not at all."""
    today = datetime.date.today().isoformat()
    peers = STEP_PEERS if kind == "steps" else EXPERIMENT_PEERS
    missing = sorted({which for which, _, _ in peers.values() if not getattr(options, which)})
    heading = [
        f"# Thawline and its peers: {kind}, {today}",
        "",
        f"{place['cpu']}, {place['logical_cpus']} logical CPUs, {', '.join(place['instruction_sets'])}, "
        f"{place['memory_gib']} GiB, {place['system']}. Load average at the start: {place['load_average']}.",
        *([f"Left out, because not named: {', '.join(missing)}."] if missing else []),
        "",
    ]
    footer = ["", f"Made by `scripts/compare_peers.sh {kind}` at {commit()}; each timing is in the JSON file of the "
              "same name."]
    settings = {name: getattr(options, name) for name in ("rounds", "steps", "epochs", "threads", "batch", "seed")}
    record = {"kind": kind, "date": today, "commit": commit(), "machine": place, "settings": settings, "results": results}
    base = Path(options.records) / f"{today}-peers-{kind}-{machine.slug(place)}"
    base.parent.mkdir(parents=True, exist_ok=True)
    for suffix, text in [(".json", json.dumps(record) + "\n"), (".md", "\n".join(heading + table + footer) + "\n")]:
        unfinished = base.with_name(base.name + suffix + ".part")
        unfinished.write_text(text)
        unfinished.replace(base.with_name(base.name + suffix))
    say(f"record: {base}.md and .json")


def commit():
    """The output of `git describe`, with "-dirty" if the sources are changed."""
    told = subprocess.run(["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return told.stdout.strip() or "an unknown commit"


def say(message):
    print(message, file=sys.stderr, flush=True)


def main():
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    arguments = argparse.ArgumentParser(prog="compare_peers.sh", description=__doc__,
                                        formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("kind", choices=["steps", "experiment"])
    arguments.add_argument("--thawline", default=str(target / "release" / "thawline"), help="the program, optionally with arguments")
    arguments.add_argument("--keras", default=os.environ.get("KERAS_PYTHON"), metavar="PYTHON")
    arguments.add_argument("--torch", default=os.environ.get("TORCH_PYTHON"), metavar="PYTHON")
    arguments.add_argument("--rust", default=os.environ.get("RUST_PEERS"), metavar="DIR", help="steps: programs of burn and candle")
    arguments.add_argument("--records", default=str(REPOSITORY / "benches" / "records"), metavar="DIR")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--batch", type=int, default=128)
    arguments.add_argument("--rounds", type=int, default=9, help="steps: interleaved rounds")
    arguments.add_argument("--steps", type=int, default=10, help="steps: training steps per round")
    arguments.add_argument("--data", metavar="DIR", help="experiment: the folder cifar-10-batches-bin")
    arguments.add_argument("--epochs", type=int, default=20, help="experiment: epochs per model")
    arguments.add_argument("--seed", type=int, default=0, help="experiment: the seed")
    options = arguments.parse_args()

    os.environ.pop("OPENBLAS_CORETYPE", None)  # would restrict BLAS to an older CPU's instructions
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)  # of burn and candle
    place = machine.describe()
    if place["load_average"] > 0.5:
        say(f"warning: the load average is {place['load_average']}; times taken on a busy machine mislead")
    try:
        results, table = (compare_steps if options.kind == "steps" else compare_experiments)(options)
    except Trouble as trouble:
        sys.exit(f"compare_peers: {trouble}")
    print("\n".join(table))
    write_record(options.kind, options, place, results, table)


if __name__ == "__main__":
    main()
