//! Failures that are not user errors: a signal, closed or full output, a NaN loss, a read error, too little memory.

use crate::invocation::{Place, small_run};

#[test]
fn a_loss_that_is_not_finite_ends_the_run_with_code_4() {
    let place = Place::new();
    let call = place.call_run("--out run --epochs 3 --learning-rate 1e30");
    assert_eq!(call.code, Some(4), "{}{}", call.stdout, call.stderr);
    assert!(call.stderr.starts_with("error: the loss is "), "{}", call.stderr);
    for words in ["epoch 1, step 2", "the first layer whose output is not finite is '", "try a lower learning rate"] {
        assert!(call.stderr.contains(words), "{words}: {}", call.stderr);
    }
    assert_eq!(call.stderr.lines().count(), 1, "{}", call.stderr);
    assert!(!place.path("run/summary.json").exists());
}

#[test]
fn a_late_divergence_keeps_the_last_checkpoint() {
    // Without activations no gradient vanishes: each step moves every weight by about the rate, so the logits grow
    // with the rate's cube.
    let deep = r#"layers = [
        { type = "Flatten" }, { type = "Dense", units = 16 }, { type = "Dense", units = 16 }, { type = "Dense" },
    ]"#;
    let late = ["4e10", "6e10", "8e10", "1e11", "1.4e11", "2e11"].into_iter().find_map(|rate| {
        let place = Place::new();
        std::fs::write(place.path("deep.toml"), deep).unwrap();
        let flags = format!("--model deep.toml --out run --epochs 20 --quiet --learning-rate {rate}");
        let call = place.call_run(&flags);
        let kept = place.path("run/checkpoint-model_1.safetensors").exists();
        // If the validation diverges first, the message has no step.
        (call.code == Some(4) && kept && call.stderr.contains(", step ")).then_some((place, call))
    });
    let (place, call) = late.expect("one of these rates diverges after the first epoch");
    assert!(call.stderr.starts_with("error: ") && call.stderr.lines().count() == 1, "{}", call.stderr);
    assert!(call.stderr.contains("in epoch ") && !call.stderr.contains("epoch 1,"), "{}", call.stderr);
    assert!(call.stderr.contains("step ") && call.stderr.contains("try a lower learning rate"), "{}", call.stderr);
    // The checkpoint is complete and finite, and resuming from it diverges in the same step.
    let data = crate::invocation::archive().to_str().unwrap();
    let scored = place.call(["eval", "--from", "run/checkpoint-model_1.safetensors", "--data", data]);
    assert_eq!(scored.code, Some(0), "{}", scored.stderr);
    let again = place.call(["run", "--resume", "run", "--quiet"]);
    assert_eq!((again.code, again.stderr), (Some(4), call.stderr));
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_that_needs_too_much_memory_is_refused_at_once() {
    let place = Place::new();
    // One batch of all pictures, with 20,000 channels of 32 x 32 floats for each: 246 GB. Some machines have as much, so
    // the address space is limited.
    let flags = "--data built-in --limit 3000 --batch-size 3000 --filters 20000,1 --kernel 1 --dense 1 --threads 1";
    let limit = format!("ulimit -v {}", crate::memory::loadable() + 1_000_000);
    let call = place.prompt_within(&limit, &small_run(flags));
    assert_eq!(call.code, Some(3), "{}{}", call.stdout, call.stderr);
    assert!(
        call.stderr.contains("more memory, but only ") && call.stderr.contains("lower --batch-size"),
        "{}",
        call.stderr
    );
    assert!(place.names().is_empty());
}

#[test]
fn temporary_files_are_created_in_the_target_folder() {
    // A file cannot be renamed across mounts, so the system's temporary folder must not be used.
    let place = Place::new();
    let mut command = place.command(small_run("--out run"));
    for variable in ["TMPDIR", "TEMP", "TMP"] {
        command.env(variable, place.path("there/is/no/such/folder"));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(unix)]
mod unix {
    use std::{
        fs,
        process::Stdio,
        time::{Duration, Instant},
    };

    use crate::{
        invocation::{Call, Place, Running, names, signal, small_run},
        own_pictures::folder,
    };

    /// Starts a long run and waits for its first epoch to finish.
    fn started(place: &Place) -> Running {
        let mut run = Running::start(place.command(small_run("--out run --epochs 100000")));
        run.until(|line| line.trim_start().starts_with("1/100000"));
        run
    }

    /// Interrupts a run twice during a step, as `timeout` does, which signals both the program and its process group.
    /// `None` if the second signal came half a second later, as may happen on a busy machine: it then ends the program.
    fn twice(name: &str) -> Option<(Place, Call)> {
        let place = Place::new();
        // One step an epoch, of about half a second.
        let flags = "--out run --epochs 100000 --batch-size 64 --filters 32 --conv-method naive --threads 1";
        let mut run = Running::start(place.command(small_run(flags)));
        run.until(|line| line.trim_start().starts_with("1/100000"));
        let began = Instant::now();
        run.signal(name);
        // The program looks for signals every 20 ms, so it sees two.
        std::thread::sleep(Duration::from_millis(60));
        run.signal(name);
        let call = run.end();
        if call.stderr != "error: interrupted twice: ended without saving\n" {
            return Some((place, call));
        }
        assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
        None
    }

    #[test]
    fn a_signal_finishes_the_step_and_keeps_the_metrics() {
        for (name, code) in [("-INT", 130), ("-TERM", 143)] {
            let (place, call) =
                (0..10).find_map(|_| twice(name)).expect("ten times the signals came half a second apart");
            assert_eq!(call.code, Some(code), "{}", call.stderr);
            assert!(call.stderr.starts_with("error: interrupted in epoch "), "{}", call.stderr);
            assert!(call.stderr.contains(" of model_1, after step ") && call.stderr.lines().count() == 1);
            assert!(call.stderr.contains("thawline run --resume run\n"), "{}", call.stderr);
            let files = names(&place.path("run"));
            let kept = [
                "best-model_1.safetensors",
                "checkpoint-model_1-previous.safetensors",
                "checkpoint-model_1.safetensors",
            ];
            let others = ["config.toml", "environment.json", "metrics.csv", "metrics.jsonl", "report.html"];
            assert!(files.iter().eq(kept.iter().chain(&others)), "{files:?}");
            let metrics = fs::read_to_string(place.path("run/metrics.csv")).unwrap();
            assert!(metrics.lines().count() >= 2, "{metrics}");
        }
    }

    #[test]
    fn closed_output_ends_quietly() {
        let place = Place::new();
        // Dropping the reader closes the pipe.
        let Running { child, lines } = started(&place);
        drop(lines);
        let call = Call::from(child.wait_with_output().unwrap());
        assert_eq!((call.code, call.stderr.as_str()), (Some(141), ""));

        // The other commands that train stop at their first line of output; those that do not, end as usual.
        folder(&place);
        for (line, code) in [
            ("sweep --arms pixels --seeds 0 --epochs 1 --data built-in", 141),
            ("adapt pictures --out adapted", 141),
            ("info", 0),
            ("summary", 0),
            ("data info", 0),
            ("--help", 0),
        ] {
            // Closed before the program starts.
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let child = place.command(line.split(' ')).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
            let output = child.wait_with_output().unwrap();
            assert_eq!((output.status.code(), output.stderr.len()), (Some(code), 0), "{line}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_output_is_an_environment_fault() {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let call = Call::from(Place::new().command(["info"]).stdout(full).output().unwrap());
        assert_eq!(call.code, Some(3));
        assert!(call.stderr.starts_with("error: cannot write the output: "), "{}", call.stderr);
        // The exit code is correct even if the message cannot be written.
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let place = Place::new();
        let mut command = place.command(["run", "--data", "nowhere"]);
        assert_eq!(command.stderr(full).output().unwrap().status.code(), Some(2));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_read_error_is_an_environment_fault() {
        // A process's memory can be opened, but reading its first page fails with EIO.
        let place = Place::new();
        for line in [["data", "verify", "/proc/self/mem"], ["run", "--data", "/proc/self/mem"]] {
            let call = place.call(line);
            assert_eq!(call.code, Some(3), "{}", call.stderr);
            assert!(call.stderr.contains("/proc/self/mem: cannot read: Input/output error"), "{}", call.stderr);
            assert!(place.names().is_empty());
        }
    }

    #[test]
    fn odd_environments_do_not_cause_a_bug_report() {
        use std::{
            ffi::OsStr,
            os::unix::{ffi::OsStrExt, process::CommandExt},
        };

        let place = Place::new();
        let mut command = place.command(small_run("--out run --quiet"));
        command.arg0(OsStr::from_bytes(b"\xff\x1b[2J")).env("RUST_MIN_STACK", "1");
        let call = Call::from(command.output().unwrap());
        assert_eq!((call.code, call.stderr.as_str()), (Some(0), ""));
        let call = Call::from(place.command(["--help"]).arg0("\x1b[2J").output().unwrap());
        assert!(call.stdout.contains("Usage: thawline ") && !call.stdout.contains('\x1b'), "{}", call.stdout);
    }

    #[test]
    fn a_second_signal_ends_the_program_at_once() {
        // A step takes minutes. After the first signal the program waits for its end, after the second it does not.
        let place = Place::new();
        let line =
            small_run("--out run --limit 100 --batch-size 100 --filters 256 --threads 1 --conv-method naive --quiet");
        let mut child = place.command(line).stderr(Stdio::piped()).spawn().unwrap();
        while !place.path("run/config.toml").exists() {
            assert!(child.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(20));
        }
        signal("-INT", &child);
        std::thread::sleep(Duration::from_millis(600));
        assert!(child.try_wait().unwrap().is_none(), "the first signal waits for the step");
        // Repeated, because a busy program may notice the first signal late, and two within half a second count as one.
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(5), "a second signal does not end it");
            signal("-INT", &child);
            std::thread::sleep(Duration::from_millis(100));
        }
        let call = Call::from(child.wait_with_output().unwrap());
        let ended = "error: interrupted twice: ended without saving\n";
        assert_eq!((call.code, &*call.stderr), (Some(130), ended));
        let files = names(&place.path("run"));
        assert!(files.iter().all(|name| !name.ends_with(".partial")), "{files:?}");
    }
}
