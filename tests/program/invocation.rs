//! Runs the program in its own folder, on small data.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Lines, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// A temporary working directory for the program.
pub struct Place {
    folder: TempDir,
}

/// The result of running the program.
pub struct Call {
    /// The exit code; `None` if a signal ended the process.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The `summary.json` of a run or an adaptation in this folder.
    pub fn summary(&self, folder: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(folder).join("summary.json")).unwrap()).unwrap()
    }

    /// The names in it, sorted.
    pub fn names(&self) -> Vec<String> {
        names(self.folder.path())
    }

    /// The program as a command, without this machine's environment settings.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("thawline"));
        command.args(arguments);
        self.isolated(command)
    }

    /// The command in this folder, without this machine's environment settings.
    fn isolated(&self, mut command: Command) -> Command {
        for variable in ["THAWLINE_DATA", "THAWLINE_SIMD", "RUST_BACKTRACE", "CLICOLOR_FORCE"] {
            command.env_remove(variable);
        }
        command.current_dir(self.folder.path());
        command
    }

    /// Calls the program within the shell's limits, such as `ulimit -t 2`.
    pub fn within<A: AsRef<OsStr>>(&self, limits: &str, arguments: &[A]) -> Call {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{limits}; exec \"$0\" \"$@\""));
        shell.arg(assert_cmd::cargo::cargo_bin!("thawline")).args(arguments);
        self.isolated(shell).output().unwrap().into()
    }

    pub fn call<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Call {
        self.command(arguments).output().unwrap().into()
    }

    /// Calls the program, which must finish at once.
    #[track_caller]
    pub fn prompt<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Call {
        self.prompt_within("true", arguments)
    }

    /// Calls the program within a limit of the shell. It may take two seconds of CPU time, or ten in a debug build. The
    /// wall-clock time includes what other programs do, so its limit is ten times as long.
    #[track_caller]
    pub fn prompt_within<A: AsRef<OsStr>>(&self, limit: &str, arguments: &[A]) -> Call {
        let seconds = if cfg!(debug_assertions) { 10 } else { 2 };
        let began = Instant::now();
        let limits = format!("{limit}; ulimit -t {seconds}");
        let call = if cfg!(unix) { self.within(&limits, arguments) } else { self.call(arguments) };
        let line: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        assert!(
            call.code.is_some(),
            "{line:?}: ended by a signal, perhaps after {seconds} s of CPU time: {}",
            call.stderr
        );
        assert!(began.elapsed() < Duration::from_secs(10 * seconds), "{line:?} took {:?}", began.elapsed());
        call
    }

    /// Calls `run` on the small data, with a small network and one epoch unless `flags` say otherwise.
    pub fn call_run(&self, flags: &str) -> Call {
        self.call(small_run(flags))
    }

    /// Like [`call_run`](Self::call_run), into the folder `run`; it must succeed.
    pub fn run(&self, flags: &str) -> Run {
        self.finished(self.call_run(&format!("--out run {flags}")))
    }

    /// The contents of the folder `run` after a call that must have succeeded.
    pub fn finished(&self, call: Call) -> Run {
        assert_eq!(call.code, Some(0), "{}", call.stderr);
        Run { files: files(&self.path("run")), call }
    }
}

impl Call {
    /// Asserts that the call was refused: exit code 2, and one line, which contains `words`, as its only output.
    #[track_caller]
    pub fn assert_refused(&self, words: &str) {
        self.assert_failed(2, words);
        assert_eq!(self.stdout, "", "{words}");
    }

    /// Asserts that the call ended with this exit code and one line on standard error, which contains `words`.
    #[track_caller]
    pub fn assert_failed(&self, code: i32, words: &str) {
        let is_one_line = self.stderr.starts_with("error: ") && self.stderr.lines().count() == 1;
        let is_expected = self.code == Some(code) && is_one_line && self.stderr.contains(words);
        assert!(is_expected, "expected {code}, {words}\n   found {:?}, {}{}", self.code, self.stderr, self.stdout);
    }
}

impl From<Output> for Call {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Call { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A program whose output is read while it runs.
pub struct Running {
    pub child: Child,
    pub lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    /// Waits for a line of output; false if the program ends without it.
    pub fn reaches(&mut self, is_it: impl Fn(&str) -> bool) -> bool {
        self.lines.any(|line| is_it(&line.unwrap()))
    }

    /// Waits for a line of output that must come.
    #[track_caller]
    pub fn until(&mut self, is_it: impl Fn(&str) -> bool) {
        if !self.reaches(is_it) {
            let mut stderr = String::new();
            self.child.stderr.as_mut().unwrap().read_to_string(&mut stderr).unwrap();
            panic!("the program ended without this line: {stderr}");
        }
    }

    pub fn signal(&self, name: &str) {
        signal(name, &self.child);
    }

    /// Waits for the end. The result has the output since the last line that was waited for.
    pub fn end(self) -> Call {
        let rest = thread::spawn(move || self.lines.map(|line| line.unwrap() + "\n").collect());
        let mut call = Call::from(self.child.wait_with_output().unwrap());
        call.stdout = rest.join().unwrap();
        call
    }
}

/// Sends a signal, such as `-INT`, to a program that has not been waited for; it may have ended. It is a system call,
/// because starting `kill` takes long on a busy machine.
#[cfg(unix)]
pub fn signal(name: &str, child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let signal = match name {
        "-INT" => Signal::INT,
        "-TERM" => Signal::TERM,
        "-KILL" => Signal::KILL,
        "-STOP" => Signal::STOP,
        "-CONT" => Signal::CONT,
        _ => panic!("{name}"),
    };
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), signal).unwrap();
}

#[cfg(not(unix))]
pub fn signal(name: &str, child: &Child) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success(), "{name}");
}

/// A finished run.
pub struct Run {
    /// The files of its folder and their bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    pub call: Call,
}

impl Run {
    pub fn read(&self, name: &str) -> &[u8] {
        self.files.get(name).unwrap_or_else(|| panic!("the run folder has no {name}"))
    }

    /// `summary.json`.
    pub fn summary(&self) -> Value {
        serde_json::from_slice(self.read("summary.json")).unwrap()
    }

    /// The weight files of both models.
    pub fn weights(&self) -> [&[u8]; 2] {
        ["weights-model_1.safetensors", "weights-model_2.safetensors"].map(|name| self.read(name))
    }

    /// The metrics without times.
    pub fn metrics(&self) -> Vec<Value> {
        let lines = std::str::from_utf8(self.read("metrics.jsonl")).unwrap();
        let rows = lines.lines().map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row.as_object_mut().unwrap().remove("seconds").unwrap();
            row
        });
        rows.collect()
    }
}

/// Default flags of a small run; [`small_run`] omits those that are given explicitly.
const SMALL: [(&str, &str); 5] =
    [("--filters", "8"), ("--dense", "16"), ("--epochs", "1"), ("--batch-size", "32"), ("--limit", "64")];

/// The command line of a small run.
pub fn small_run(flags: &str) -> Vec<String> {
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let absent = |name: &str| !flags.contains(&name);
    let mut line = vec!["run".to_owned()];
    if absent("--data") {
        line.extend(["--data".to_owned(), archive().to_str().unwrap().to_owned()]);
    }
    let is_tutorial = |name: &str| matches!(name, "--filters" | "--dense");
    let applies = |name: &str| absent(name) && (absent("--model") || !is_tutorial(name));
    for (name, value) in SMALL.into_iter().filter(|(name, _)| applies(name)) {
        line.extend([name.to_owned(), value.to_owned()]);
    }
    line.extend(flags.into_iter().map(str::to_owned));
    line
}

/// A small archive of built-in pictures, created once by the program.
pub fn archive() -> &'static Path {
    static ARCHIVE: OnceLock<(Place, PathBuf)> = OnceLock::new();
    let (_, path) = ARCHIVE.get_or_init(|| {
        let place = Place::new();
        let call = place.call(["data", "synth", "small.tar.gz", "--train", "200", "--test", "100"]);
        assert_eq!(call.code, Some(0), "{}", call.stderr);
        let path = place.path("small.tar.gz");
        (place, path)
    });
    path
}

/// All files below a folder, by their relative paths.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}
