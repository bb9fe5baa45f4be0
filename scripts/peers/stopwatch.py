"""The peers' side of an interleaved timing: a process that stays alive and runs timings on request.

Loading TensorFlow takes seconds, and the first steps are slow in every framework. So a peer starts once, introduces
itself in a line of JSON, and then answers requests, one per line, until its input ends:

    request   model_1 10
    answer    {"task": "model_1", "times_ms": [145.9, 146.2, ...]}

Between requests it sleeps, so that the driver (compare.py) can time the others. Everything that is not an answer goes to
stderr.
"""

import json
import os
import sys
import time

WARM_UP_STEPS = 3


def serve(introduction, tasks):
    """Answers requests from stdin. `tasks` maps a name to a function that performs `n` steps and returns n times in ms."""
    answers = _keep_stdout_for_answers()

    def answer(**fields):
        print(json.dumps(fields), file=answers, flush=True)

    answer(**introduction)
    for request in sys.stdin:
        try:
            name, steps = request.split()
            times = tasks[name](int(steps))
        except (ValueError, KeyError):
            answer(error=f"expected a line TASK STEPS with a task of {sorted(tasks)}, found {request.strip()!r}")
            continue
        answer(task=name, times_ms=[round(t, 3) for t in times])


def timed(step):
    """Turns a function that performs one step into one that, after a warm-up, performs n and returns their times."""

    def run(steps):
        for _ in range(WARM_UP_STEPS):
            step()
        times = []
        for _ in range(steps):
            began = time.perf_counter()
            step()
            times.append(1e3 * (time.perf_counter() - began))
        return times

    return run


def _keep_stdout_for_answers():
    """Redirects stdout to stderr for everything else: frameworks print, from Python and from C++."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers
