#!/bin/sh
# Shows where the time of a training step goes: builds Thawline with symbols and runs it under a profiler.

usage() {
    cat <<'USAGE'
usage: scripts/profile.sh [perf|callgrind] [ARGUMENTS OF THAWLINE...]

Default: `thawline bench --only steps`, under perf if the system permits it, else under callgrind.

  perf       samples the program at full speed, to show where the time goes. Needs perf (Debian: linux-perf) and
             /proc/sys/kernel/perf_event_paranoid <= 2.
  callgrind  counts instructions, 50 times slower but reproducibly, to compare versions. Needs valgrind, which does not
             support AVX-512: the kernels run at their AVX2 level.

The build (with line tables and frame pointers) and the recordings are in target/profile.
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
        echo "profile: perf is missing or not permitted, and valgrind is missing; see --help" >&2
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
