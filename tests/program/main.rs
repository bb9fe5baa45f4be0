//! Runs the program as a user does and checks its output, its files and its exit codes.

/// Helpers: the program in its own folder, and small data for it.
mod invocation;

/// A complete run: its folder, its numbers, its output.
mod experiment;

/// model_2's head, fresh or warm, and the last frozen layer.
mod transfer;

/// Your own networks, from a file.
mod networks;

/// Trained features, from a file and to a file.
mod features;

/// Resuming runs that were interrupted by a signal, killed at any moment, or damaged.
mod resume;

/// Resuming runs with batch normalization, schedules, augmentation and early stopping; and interrupted adaptations.
#[cfg(unix)]
mod interrupted;
mod interrupted_sweep;

/// Invalid weight files and checkpoints.
mod checkpoints;

/// `eval`, `export` and `import`.
mod exchange;

/// Training options: schedules, augmentation, early stopping, presets.
mod regime;

/// Settings files.
mod settings;

/// The same seed gives the same bits, regardless of thread count and cache, and on both AVX2 and AVX-512.
mod reproducibility;

/// Finding pictures, and the `data` subcommands.
mod data;

/// CIFAR-100: its fine and coarse labels, and features transferred from CIFAR-10.
mod cifar_100;

/// Decoding picture files of all formats.
mod picture_files;

/// `adapt` on a user's own pictures.
mod own_pictures;

/// `predict`, and `eval`, on a user's own pictures.
mod predictions;

/// User errors: exit code 2, one line that names the mistake, nothing written.
mod mistakes;

/// Other failures: a signal, closed or full output, a NaN loss, a read error, too little memory.
mod ends;

/// Output files: nothing is destroyed, written elsewhere, or left half-written.
mod outputs;

/// Too little memory, at any allocation.
mod memory;

/// Failing system calls, one at a time: the run reports the failure, leaves no torn file, and resumes to the same
/// result.
mod faults;

/// `thawline report` on folders of runs.
mod comparison;

/// Sweeps: in one process, in shards, interrupted and merged, with the same report.
mod sweep;

/// Hostile and long names on the terminal.
mod terminal;

/// `bench` and its comparison with a saved benchmark.
mod bench;

/// The manual and the help list exactly the program's flags.
mod manual;

/// Untrusted models, networks and folders: pipes, devices, sparse files, files that claim to be huge.
#[cfg(target_os = "linux")]
mod hostile;
