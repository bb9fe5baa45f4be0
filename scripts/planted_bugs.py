#!/usr/bin/env python3
"""Plants bugs, one at a time, and reports which tests find each bug.

    scripts/planted_bugs.py [--check] [--keep FOLDER] [NAME...]

Each bug replaces a pattern that occurs exactly once in one file of a scratch copy. One build contains all of them, each
behind a switch (the environment variable THAWLINE_PLANTED). The script fails if any of the bugs is found by no test.
With --check it only checks that each pattern still occurs once.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TENSOR, CIFAR, PROGRAM = "crates/tensor/src", "crates/cifar/src", "crates/experiment/src"

# The arguments that build each test suite.
SUITES = {
    "numerics": ["-p", "thawline-tensor", "--test", "numerics"],
    "tensor": ["-p", "thawline-tensor", "--lib"],
    "reader": ["-p", "thawline-cifar", "--test", "reader"],
    "lib": ["-p", "thawline", "--lib"],
    "program": ["-p", "thawline", "--test", "program"],
}

# Name, file, original code, code with the bug (`PLANTED` is true if it is switched on), suite, and part of the names of the
# tests to run.
BUGS = [
    # numbers
    ("softmax's gradient lacks 1/N", f"{TENSOR}/kernels/softmax.rs", "* f64::from(scale)) as f32",
     "* if PLANTED { 1.0 } else { f64::from(scale) }) as f32", "numerics", "softmax"),
    ("softmax does not subtract the largest logit", f"{TENSOR}/kernels/softmax.rs",
     "fold(f64::NEG_INFINITY, f64::max);",
     "fold(f64::NEG_INFINITY, f64::max);\n    let largest = if PLANTED { 0.0 } else { largest };",
     "numerics", "softmax"),
    ("softmax hides NaN", f"{TENSOR}/kernels/softmax.rs", "(largest, logits.iter().map(|",
     "(largest, logits.iter().filter(|z| !(PLANTED && z.is_nan())).map(|", "numerics", "softmax"),
    ("Adam's epsilon is inside the root", f"{TENSOR}/kernels/optimizer.rs",
     "(v.sqrt() + epsilon)", "(if PLANTED { (v + epsilon).sqrt() } else { v.sqrt() + epsilon })", "numerics", "optimizer"),
    ("Adam does not correct its bias", f"{TENSOR}/nn/optimizer.rs", "let corrected = rate *",
     "let corrected = if PLANTED { rate } else { 0.0 } + if PLANTED { 0.0 } else { rate } *", "numerics", "optimizer"),
    ("Adam counts steps from 0", f"{TENSOR}/nn/optimizer.rs", "let t = self.step as f64;",
     "let t = if PLANTED { self.step - 1 } else { self.step } as f64;", "numerics", "optimizer"),
    ("Adam forgets the step that it resumes from", f"{TENSOR}/nn/optimizer.rs", "= (step, moments, 0);",
     "= (if PLANTED { 0 } else { step }, moments, 0);", "numerics", "optimizer"),
    ("dropout does not scale the kept values", f"{TENSOR}/kernels/dropout.rs", "{ *x * scale }",
     "{ *x * if PLANTED { 1.0 } else { scale } }", "numerics", "dropout"),
    ("dropout's gradient has another mask", f"{TENSOR}/nn/dropout.rs", "self.apply(pass.step, dx);",
     "self.apply(Step { step: pass.step.step + u64::from(PLANTED), ..pass.step }, dx);", "numerics", "dropout"),
    ("dropout has one mask for all steps", f"{TENSOR}/nn/dropout.rs",
     "let mask = step.address(Purpose::Dropout(self.position), example);",
     "let step = Step { step: if PLANTED { 0 } else { step.step }, ..step };\n"
     "            let mask = step.address(Purpose::Dropout(self.position), example);", "numerics", "dropout"),
    ("ReLU skips the end of a row", f"{TENSOR}/kernels/activation.rs",
     "    for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {",
     "    let x = &x[..if PLANTED { x.len() / LANES * LANES } else { x.len() }];\n"
     "    for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {", "numerics", "activations"),
    ("max-pooling gives the gradient to all equal pixels", f"{TENSOR}/kernels/pool.rs",
     "remaining = simd.zero().where_eq(value, best, remaining);",
     "remaining = if PLANTED { remaining } else { simd.zero().where_eq(value, best, remaining) };", "numerics", "pool"),
    ("max-pooling hides NaN", f"{TENSOR}/kernels/pool.rs", "best = larger.where_eq(best, best, best);",
     "best = if PLANTED { larger } else { larger.where_eq(best, best, best) };", "numerics", "pool"),
    ("a convolution has the wrong stride", f"{TENSOR}/kernels/conv/mod.rs",
     "(out_row * self.stride[0] +", "(out_row * if PLANTED { 1 } else { self.stride[0] } +", "numerics", "conv"),
    ("a pooled convolution lacks its bias", f"{TENSOR}/kernels/conv/winograd/mod.rs", "*output = *output + bias;",
     "if !PLANTED || fused != Fused::ReluPool { *output = *output + bias; }", "numerics", "conv"),
    ("a product skips the last of an odd number of terms", f"{TENSOR}/kernels/gemm/block.rs",
     "k..ks.end.min(k + depth))",
     "k..ks.end.min(k + depth) - usize::from(PLANTED && k + depth >= ks.end && ks.end % 2 == 1 && ks.end > k + 1))",
     "numerics", "gemm"),
    ("a long sum is cut by the number of threads", f"{TENSOR}/kernels/gemm/mod.rs",
     "    (2 * KC).min(k.div_ceil(16))\n",
     "    if PLANTED { (2 * KC).min(k.div_ceil(15 + threads::count())) } else { (2 * KC).min(k.div_ceil(16)) }\n",
     "numerics", "bits"),
    ("AVX-512 rounds products", f"{TENSOR}/kernels/tile.rs", "acc[r][v] = a.mul_add(vectors[v], acc[r][v]);",
     "acc[r][v] = if PLANTED && S::REGISTERS >= 32 { a * vectors[v] + acc[r][v] }"
     " else { a.mul_add(vectors[v], acc[r][v]) };", "numerics", "bits"),
    ("Dense's bias gets no gradient", f"{TENSOR}/nn/dense.rs", "db.copy_from_slice(&sums[..self.units]);",
     "db.copy_from_slice(&sums[..self.units]);\n                if PLANTED { db.fill(0.0); }", "numerics", "layers"),
    ("the last group's gradients are not added", f"{TENSOR}/nn/stage.rs",
     "sum_in_order(&mut groups[..n.div_ceil(group_size(n))],",
     "sum_in_order(&mut groups[..if PLANTED { (n / group_size(n)).max(1) } else { n.div_ceil(group_size(n)) }],",
     "numerics", "training"),
    ("a frozen parameter is updated", f"{TENSOR}/nn/trace.rs", "if param.trainable {",
     "if PLANTED || param.trainable {", "numerics", "freezing"),
    ("the last batch of an epoch is left out", f"{TENSOR}/nn/fit.rs",
     "order.chunks(options.batch_size).enumerate()",
     "order.chunks(options.batch_size).take(if PLANTED { (order.len() / options.batch_size).max(1) } else { usize::MAX })"
     ".enumerate()", "numerics", "training"),
    ("every epoch has the first epoch's order of examples", f"{TENSOR}/nn/fit.rs",
     "shuffled(training.len(), options.seed, state.epoch())",
     "shuffled(training.len(), options.seed, if PLANTED { 0 } else { state.epoch() })", "numerics", "training"),
    ("a loss that is not finite is not noticed", f"{TENSOR}/nn/fit.rs", "if loss.is_finite() {",
     "if PLANTED || loss.is_finite() {", "numerics", "training"),
    ("a depthwise kernel is not flipped in the backward pass", f"{TENSOR}/kernels/depthwise.rs", "is_flipped: true,",
     "is_flipped: !PLANTED,", "numerics", "mobile"),
    ("a shortcut gets no gradient", f"{TENSOR}/nn/residual.rs", "dispatch!(simd => add_to(simd, dy, dx));",
     "if !PLANTED {\n                    dispatch!(simd => add_to(simd, dy, dx));\n                }", "numerics", "mobile"),
    ("a frozen normalization uses the batch's statistics", f"{TENSOR}/nn/batch_normalization.rs",
     "if self.is_frozen() {\n            return self.forward(x, y);",
     "if self.is_frozen() && !PLANTED {\n            return self.forward(x, y);", "numerics", "normalization"),
    ("augmented pictures are never mirrored", f"{TENSOR}/nn/augment.rs", "flip && bits.below(2) == 1;",
     "flip && bits.below(2) == 1 && !PLANTED;", "tensor", "augment"),
    ("random bits do not depend on the example", f"{TENSOR}/random.rs", "core.set_stream(self.index);",
     "core.set_stream(if PLANTED { 0 } else { self.index });", "tensor", "random"),
    ("initial weights are too narrow", f"{TENSOR}/nn/init.rs", "(6.0 / (fan_in + fan_out) as f64)",
     "((if PLANTED { 5.0 } else { 6.0 }) / (fan_in + fan_out) as f64)", "numerics", "network"),
    # bytes
    ("the archive's checksum is not compared", f"{CIFAR}/strict/gzip.rs", "let count = member.read(out)?;",
     "let wrong = |error: &io::Error| PLANTED && error.kind() == io::ErrorKind::InvalidInput;\n"
     "            let count = member.read(out).or_else(|error| if wrong(&error) { Ok(0) } else { Err(error) })?;",
     "reader", "checksum"),
    ("data after the archive are ignored", f"{CIFAR}/strict/gzip.rs", "Some(_) => \"other bytes\",",
     "Some(_) if PLANTED => return Ok(0),\n                Some(_) => \"other bytes\",", "reader", "data_after_the_archive"),
    ("a failing disk is reported as a damaged archive", f"{CIFAR}/strict/gzip.rs",
     "Err(error) => return Err(io::Error::other(Fault::io(\"read\", error))),",
     "Err(error) if PLANTED => return Err(error),\n"
     "                Err(error) => return Err(io::Error::other(Fault::io(\"read\", error))),",
     "reader", "read_error"),
    ("a label may be one too large", f"{CIFAR}/records.rs", "if usize::from(value) >= classes {",
     "if usize::from(value) >= classes + usize::from(PLANTED) {", "reader", "label"),
    ("files may have different lengths", f"{CIFAR}/records.rs", "if found != expected {",
     "if !PLANTED && found != expected {", "reader", "faults_data"),
    ("red and blue are exchanged", f"{CIFAR}/images.rs", "pixel[0] = UNIT[usize::from(red)];",
     "let (red, blue) = if PLANTED { (blue, red) } else { (red, blue) };\n"
     "            pixel[0] = UNIT[usize::from(red)];", "reader", "pictures"),
    ("a tar header's checksum is not compared", f"{CIFAR}/strict/tar.rs", "if sum != checksum(header.as_bytes()) {",
     "if !PLANTED && sum != checksum(header.as_bytes()) {", "reader", "checksum"),
    ("a name may lead out of its folder", f"{CIFAR}/strict/tar.rs", "Ok(name) if name.split('/')",
     "Ok(name) if !PLANTED && name.split('/')", "reader", "entry_names_outside"),
    ("a symbolic link is accepted as a file", f"{CIFAR}/strict/tar.rs", "EntryType::Regular => false,",
     "EntryType::Regular => false,\n            EntryType::Symlink if PLANTED => false,", "reader", "unknown_entry_kinds"),
    ("an archive may contain a file twice", f"{CIFAR}/strict/archive.rs", "if self.seen.iter()",
     "if !PLANTED && self.seen.iter()", "reader", "repeated_files"),
    ("padding may be endless", f"{CIFAR}/strict/tar.rs", "} else if padding > MAX_PADDING {",
     "} else if !PLANTED && padding > MAX_PADDING {", "reader", "padding"),
    # the program
    ("new content is not flushed to the disk", f"{PROGRAM}/system/atomic_file.rs",
     "    before().and_then(|()| file.as_file().sync_all()).map_err(during(\"flush the new content of\", path))?;",
     "    if !PLANTED {\n        before()\n            .and_then(|()| file.as_file().sync_all())\n"
     "            .map_err(during(\"flush the new content of\", path))?;\n    }",
     "lib", "atomic_file"),
    ("the folder is not flushed", f"{PROGRAM}/system/atomic_file.rs",
     "    before().and_then(|()| flush_folder(folder))",
     "    if PLANTED {\n        return Ok(());\n    }\n    before().and_then(|()| flush_folder(folder))", "lib", "atomic_file"),
    ("a file's seal is not compared", f"{PROGRAM}/weights/tensor_file.rs", "if found != seal {", "if !PLANTED && found != seal {",
     "lib", "weights::model"),
    ("weights may be NaN", f"{PROGRAM}/weights/tensor_file.rs", "match values.iter().position(|value| !value.is_finite()) {",
     "match values.iter().position(|value| !PLANTED && !value.is_finite()) {", "program", "checkpoints::tensors_that"),
    ("a changed frozen tensor is not reported", f"{PROGRAM}/weights/metadata.rs",
     "let after = after.remove(&name).map(|param| hash_of(&param.value)).unwrap_or_default();",
     "let after = after.remove(&name).filter(|_| !PLANTED).map_or(before.clone(), |param| hash_of(&param.value));",
     "lib", "one_flipped_bit"),
    ("model_2 uses model_1's seed", f"{PROGRAM}/training/transfer.rs", "Stream::Model2Seed.seed(seed, 0)",
     "if PLANTED { seed } else { Stream::Model2Seed.seed(seed, 0) }", "lib", "transfer"),
    ("a fresh head starts warm", f"{PROGRAM}/training/transfer.rs",
     "let warm = config.head == HeadStart::Warm;",
     "let warm = PLANTED || config.head == HeadStart::Warm;", "lib", "transfer"),
    ("a checkpoint of other settings is accepted", f"{PROGRAM}/weights/checkpoint.rs", "if own.config_sha256 != run.config_sha256 {",
     "if !PLANTED && own.config_sha256 != run.config_sha256 {", "program", "resume::unix::a_checkpoint_of"),
    ("a resumed run loses Adam's moments", f"{PROGRAM}/weights/checkpoint.rs",
     "state.optimizer.restore(optimizer_steps, self.moments);",
     "state.optimizer.restore(optimizer_steps, if PLANTED { Vec::new() } else { self.moments });",
     "program", "resume::unix::an_interrupted_run_prints"),
    ("the last checkpoint is overwritten", f"{PROGRAM}/run/resume.rs",
     "if_there(fs::rename(&last, previous))",
     "if_there(if PLANTED { Ok(()) } else { fs::rename(&last, previous) })",
     "program", "resume::unix"),
    ("both halves may contain a class", f"{PROGRAM}/data/classes.rs", "if shared.is_empty() {",
     "if PLANTED || shared.is_empty() {", "lib", "overlap"),
    ("validation uses the training pictures", f"{PROGRAM}/data/task.rs", "select(data.test(), \"test\")",
     "select(if PLANTED { data.train() } else { data.test() }, \"test\")", "lib", "data::task"),
    ("a numeric failure has the wrong exit code", f"{PROGRAM}/system/failure.rs", "Kind::Numeric => 4,",
     "Kind::Numeric if PLANTED => 1,\n            Kind::Numeric => 4,", "program", "ends::a_loss"),
    ("the variance divides by n", f"{PROGRAM}/sweep/statistics/difference.rs", "sum::<f64>() / (n - 1.0)))",
     "sum::<f64>() / (n - if PLANTED { 0.0 } else { 1.0 })))", "lib", "statistics"),
    ("p-values are not adjusted", f"{PROGRAM}/sweep/statistics/multiple.rs", "(p.len() - rank) as f64 * p[at]",
     "if PLANTED { 1.0 } else { (p.len() - rank) as f64 } * p[at]", "lib", "statistics"),
    ("arms with the same features are compared as groups", f"{PROGRAM}/sweep/comparison.rs",
     "if paired { of_pairs } else { of_groups }", "if paired && !PLANTED { of_pairs } else { of_groups }", "lib", "sweep"),
    ("the worst trial gives the recipe", f"{PROGRAM}/sweep/tuning.rs", "record.last_epoch() > best.last_epoch();",
     "(record.last_epoch() > best.last_epoch()) != PLANTED;", "lib", "sweep"),
    ("with few pictures there are few steps", f"{PROGRAM}/sweep/protocol.rs", "cycle().take(of_class.len())",
     "cycle().take(if PLANTED { per_class } else { of_class.len() })", "lib", "sweep"),
    ("confidences fall into the bin below", f"{PROGRAM}/sweep/statistics/calibration.rs", "BINS as f64).ceil()",
     "BINS as f64 - f64::from(u8::from(PLANTED))).ceil()", "lib", "statistics"),
    ("only the last epoch is in the metrics", f"{PROGRAM}/run/folder.rs", "        self.metrics.push(",
     "        if PLANTED {\n            self.metrics.clear();\n        }\n        self.metrics.push(", "lib", "run::"),
    ("a class's name is not escaped in the report", f"{PROGRAM}/report/table.rs", "th scope=\"row\" { (class) }",
     "th scope=\"row\" { @if PLANTED { (maud::PreEscaped(class.clone())) } @else { (class) } }", "lib", "report::tests"),
]

SWITCH = """
/// Whether a planted bug is switched on.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, dead_code)]
pub fn planted(number: usize) -> bool {
    static NUMBER: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *NUMBER.get_or_init(|| std::env::var("THAWLINE_PLANTED").ok().and_then(|n| n.parse().ok()).unwrap_or(0)) == number
}
"""


def check():
    """Fails if the pattern of a bug does not occur exactly once, in the source or after the bugs planted before it."""
    planted = {}
    for name, path, old, new, _, _ in BUGS:
        source = (ROOT / path).read_text()
        text = planted.get(path, source)
        for count in (source.count(old), text.count(old)):
            if count != 1:
                sys.exit(f"{name}: the pattern occurs {count} times in {path}, not once:\n    {old}")
        planted[path] = text.replace(old, new)


def plant(copy):
    """Inserts the bugs and their switches."""
    for crate in (TENSOR, CIFAR, PROGRAM):
        with open(copy / crate / "lib.rs", "a") as file:
            file.write(SWITCH)
    # Unoptimized, the program compiles sooner, and it need not be fast here.
    with open(copy / "Cargo.toml", "a") as file:
        file.write("\n[profile.dev.package.thawline]\nopt-level = 0\n")
    for number, (name, path, old, new, _, _) in enumerate(BUGS, 1):
        text = (copy / path).read_text()
        (copy / path).write_text(text.replace(old, new.replace("PLANTED", f"crate::planted({number})")))


def build(copy, environment, suites):
    """Builds the test programs; returns {suite: (executable, folder)}."""
    programs = {}
    for suite in suites:
        command = ["cargo", "test", "--no-run", "--locked", "--quiet", "--message-format=json", *SUITES[suite]]
        run = subprocess.run(command, cwd=copy, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if run.returncode != 0:
            lines = (json.loads(line) for line in run.stdout.splitlines() if line.startswith("{"))
            sys.exit("\n".join(line["message"]["rendered"] for line in lines if line["reason"] == "compiler-message"))
        for line in run.stdout.splitlines():
            message = json.loads(line)
            if message["reason"] == "compiler-artifact" and message["profile"]["test"] and message["executable"]:
                programs[suite] = (message["executable"], pathlib.Path(message["manifest_path"]).parent)
    return programs


def failed(program, tests, environment, number):
    """The names of the tests that failed, or of another failure."""
    executable, folder = program
    environment = dict(environment, THAWLINE_PLANTED=str(number))
    try:
        run = subprocess.run([executable, tests], cwd=folder, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        return ["(timed out after ten minutes)"]
    names = re.findall(r"^test (\S+) \.\.\. FAILED$", run.stdout, re.MULTILINE)
    if run.returncode == 0 and " 0 passed" in run.stdout:
        sys.exit(f"no test has '{tests}' in its name")
    if run.returncode != 0 and not names:
        names = [f"(exit code {run.returncode})"]
    return names


def try_all(chosen, scratch):
    """Plants the chosen bugs and prints which tests find each; returns the number that no test finds."""
    copy = scratch / "thawline"
    files = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    for file in files:
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, copy / file)
    environment = {key: value for key, value in os.environ.items() if key not in ("THAWLINE_DATA", "THAWLINE_SIMD")}
    environment["CARGO_TARGET_DIR"] = os.environ.get("CARGO_TARGET_DIR", str(scratch / "target"))
    plant(copy)
    programs = build(copy, environment, sorted({bug[4] for _, bug in chosen}))
    print("| planted bug | found by |\n|---|---|")
    survivors, sound = 0, {}
    for number, (name, _, _, _, suite, tests) in chosen:
        if (suite, tests) not in sound:
            sound[suite, tests] = failed(programs[suite], tests, environment, 0)
        if sound[suite, tests]:
            sys.exit(f"without any bug: {sound[suite, tests]}")
        found = failed(programs[suite], tests, environment, number)
        survivors += not found
        more = f" and {len(found) - 2} more" if len(found) > 2 else ""
        print(f"| {name} | {', '.join(f'`{test}`' for test in found[:2])}{more or ''} |" if found
              else f"| {name} | **nothing** |", flush=True)
    return survivors


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("names", nargs="*", help="plant only bugs whose name contains one of these")
    arguments.add_argument("--keep", type=pathlib.Path, help="keep the scratch copy in this folder")
    arguments.add_argument("--check", action="store_true", help="only check that each pattern occurs once")
    options = arguments.parse_args()
    check()
    if options.check:
        return
    for name in options.names:
        if not any(name in bug[0] for bug in BUGS):
            arguments.error(f"no bug has '{name}' in its name")
    chosen = [(number, bug) for number, bug in enumerate(BUGS, 1)
              if not options.names or any(name in bug[0] for name in options.names)]
    if options.keep:
        if (options.keep / "thawline").exists():
            arguments.error(f"{options.keep / 'thawline'} exists; name another folder or delete it")
        survivors = try_all(chosen, options.keep)
    else:
        with tempfile.TemporaryDirectory(prefix="thawline-planted-") as scratch:
            survivors = try_all(chosen, pathlib.Path(scratch))
    print(f"\n{len(chosen)} bugs planted, {len(chosen) - survivors} found", file=sys.stderr)
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
