#!/bin/sh
# Where does the time of a training step go? Builds Thawline with symbols, runs it under a profiler, prints the top.

usage() {
    cat <<'USAGE'
usage: scripts/profile.sh [perf|callgrind] [ARGUMENTS OF THAWLINE...]

Without arguments: `thawline bench --only steps`, under perf where the system permits it, else under callgrind.

  perf       samples the program at full speed: where the time goes. Needs perf (Debian: linux-perf) and
             /proc/sys/kernel/perf_event_paranoid <= 2.
  callgrind  counts instructions, the same number every time, 50 times slower: what has changed. Needs valgrind, which
             knows no AVX-512: the kernels run at their AVX2 level.

The build (its own, with line tables and frame pointers) and the recordings stay under target/profile.
USAGE
}

set -eu
cd "$(dirname "$0")/.."

case ${1:-} in
-h | --help) usage && exit 0 ;;
perf | callgrind) profiler=$1 && shift ;;
*)
    if perf record --output /dev/null true >/dev/null 2>&1; then
        profiler=perf
    elif command -v valgrind >/dev/null; then
        profiler=callgrind
    else
        echo "profile: perf is missing or not permitted, and there is no valgrind; see --help" >&2
        exit 3
    fi
    ;;
esac
[ $# -gt 0 ] || set -- bench --only steps

folder=${CARGO_TARGET_DIR:-target}/profile
RUSTFLAGS="${RUSTFLAGS:-} -Cforce-frame-pointers=yes" CARGO_PROFILE_RELEASE_DEBUG=line-tables-only \
    cargo build --release --locked --bin thawline --target-dir "$folder"
program=$folder/release/thawline

case $profiler in
perf)
    recording=$folder/perf.data
    perf record --freq 999 --call-graph fp --output "$recording" -- "$program" "$@"
    perf report --input "$recording" --stdio --no-children --call-graph none --percent-limit 0.5 2>/dev/null
    echo "More: perf report --input $recording; perf annotate --input $recording"
    ;;
callgrind)
    recording=$folder/callgrind.out
    valgrind --tool=callgrind --callgrind-out-file="$recording" "$program" "$@"
    callgrind_annotate "$recording" | head -n 60
    echo "More: callgrind_annotate $recording FILE; kcachegrind $recording"
    ;;
esac
