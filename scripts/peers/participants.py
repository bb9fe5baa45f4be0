"""The participants of a comparison, and how to time each. Needs only Python's standard library."""

import json
import shlex
import subprocess
import tempfile
from pathlib import Path

TASKS = ("model_1", "model_2", "features")

# The fields of `thawline bench --only steps --json`.
THAWLINE_FIELDS = {"model_1": ("step", "model_1_ms"), "model_2": ("step", "model_2_ms"), "features": ("features_ms",)}


class Trouble(Exception):
    """A participant failed; the message says why and what to do."""


class Peer:
    """A peer's process, started once: it runs timings on request and sleeps while the others are timed."""

    def __init__(self, label, command):
        self.label = label
        self.command = command
        self.complaints = tempfile.TemporaryFile("w+")  # not a pipe, which nothing would drain
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=self.complaints, text=True, bufsize=1)
        except OSError as error:
            raise Trouble(f"{label}: cannot start {command[0]}: {error.strerror}") from error
        self.introduction = self._answer()

    def measure(self, steps):
        """One round: {task: times in ms}."""
        times = {}
        for task in TASKS:
            self.process.stdin.write(f"{task} {steps}\n")
            times[task] = self._answer()["times_ms"]
        return times

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.complaints.seek(0)
            last_words = self.complaints.read().strip().splitlines()[-3:]
            raise Trouble(f"{self.label}: {shlex.join(self.command)} ended: " + " | ".join(last_words))
        answer = json.loads(line)
        if "error" in answer:
            raise Trouble(f"{self.label}: {answer['error']}")
        return answer


class Thawline:
    """Thawline's own benchmark, started again for every round: it starts in milliseconds and does its own warm-up."""

    def __init__(self, label, command):
        self.label = label
        self.command = command
        version = answer_of(label, [command[0], "--version"]).strip()
        self.introduction = {"peer": "Thawline", "variant": "fp32", "version": version.removeprefix("thawline ")}

    def measure(self, steps):
        """One round: {task: times in ms}, with one time per task: the benchmark's own median."""
        output = answer_of(self.label, [*self.command, "--rounds", str(steps)])
        try:
            bench = json.loads(output)
        except ValueError as error:
            raise Trouble(f"{self.label}: {shlex.join(self.command)} did not print JSON: {output[:200]!r}") from error
        return {task: [float(self._field(bench, path))] for task, path in THAWLINE_FIELDS.items()}

    def close(self):
        pass

    def _field(self, bench, path):
        for name in path:
            if not isinstance(bench, dict) or name not in bench:
                raise Trouble(f"{self.label}: no field {'.'.join(path)} in the output of {shlex.join(self.command)}")
            bench = bench[name]
        return bench


def answer_of(label, command):
    """The stdout of a command that must succeed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise Trouble(f"{label}: cannot start {command[0]}: {error.strerror}; "
                      "build it with `cargo build --release`, or name it with --thawline") from error
    if done.returncode != 0:
        raise Trouble(f"{label}: {shlex.join(command)} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


# -- the whole experiment

def experiment_of_peer(label, command):
    """Runs a peer's --experiment to its end; returns its introduction and, per model, seconds and accuracies."""
    introduction, *lines = [json.loads(line) for line in answer_of(label, command).splitlines()]
    models = {}
    for line in lines:
        model = models.setdefault(line["model"], {"val_accuracy": [], "features_seconds": 0.0})
        if "epoch" in line:
            model["val_accuracy"].append(line["val_accuracy"])
        for field in ("features_seconds", "total_seconds"):
            if field in line:
                model[field] = line[field]
    return introduction, models


def experiment_of_thawline(label, command, run_folder):
    """Runs Thawline into a run folder and reads its summary.json; returns the same as for a peer."""
    answer_of(label, command)
    summary = json.loads((Path(run_folder) / "summary.json").read_text())
    models = {
        name: {
            "val_accuracy": [row["val_accuracy"] for row in summary[name]["history"]],
            "features_seconds": summary[name]["features_seconds"],
            "total_seconds": summary[name]["total_seconds"],
        }
        for name in ("model_1", "model_2")
    }
    return {"peer": "Thawline", "variant": "fp32", "version": summary["thawline"]}, models
