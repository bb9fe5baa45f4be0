//! The real program, run as a user runs it: what it prints, what it writes, how it ends.

/// The tools of the other modules: the program in a folder of its own, and small data for it.
mod invocation;

/// A run from the first picture to the report: its folder, its numbers, its output.
mod experiment;

/// Model_2's head, fresh or warm, and where the network is cut.
mod transfer;

/// Networks of one's own, from a file.
mod networks;

/// `run --from`: trained features from a file, and a new head behind them.
mod features;

/// Interrupted runs: by a signal, by a kill at any moment, by damage; and how they go on.
mod resume;

/// Interrupted runs with batch normalization, schedules, changed pictures, early stopping; and interrupted adaptations.
#[cfg(unix)]
mod interrupted;

/// Files of weights and checkpoints that are wrong, in every way in which they can be.
mod checkpoints;

/// `eval`, `export` and `import`: what a model is worth, and its way to other frameworks and back.
mod exchange;

/// How a network is trained: schedules, changes of pictures, presets.
mod regime;

/// Settings from a file.
mod settings;

/// The same bits for the same seed, whatever the threads, the cache, the SIMD level.
mod reproducibility;

/// Where pictures come from, and the subcommands that look at them.
mod data;

/// CIFAR-100: its two kinds of labels, and features of CIFAR-10 that serve it.
mod cifar_100;

/// Picture files of every kind, as the network sees them.
mod picture_files;

/// A user's own pictures: a new head for them, and what it takes others for.
mod own_pictures;

/// Mistakes of a user: exit code 2, one line that names what is wrong, nothing written.
mod mistakes;

/// Ends that no user's mistake brings about: a signal, a closed output, a loss that is no number, a disk that is full.
mod ends;

/// What commands write: nothing is destroyed, nothing goes where it should not, nothing is left half-written.
mod outputs;

/// Too little memory, for whichever allocation.
mod memory;

/// Calls of the system that fail, one after the other: the run says so, leaves nothing torn, and goes on to the same end.
mod faults;

/// Sweeps: in one go, in shards, interrupted and merged, with the same report.
mod sweep;

/// What reaches the terminal: whose names they are, and how they are shown.
mod terminal;

/// The manual: every flag is in it, and nothing that is none.
mod manual;

/// Models, networks and folders of strangers: pipes, devices, sparse files, files that ask for more than they hold.
#[cfg(target_os = "linux")]
mod hostile;
