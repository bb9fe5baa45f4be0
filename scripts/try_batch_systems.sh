#!/usr/bin/env bash
# Runs one tiny sweep in several ways and compares the reports byte for byte.

usage() {
    cat <<'USAGE'
usage: scripts/try_batch_systems.sh [PROGRAM]

PROGRAM is the thawline to test (default: the release build, which is updated first). The sweep runs directly; under GNU
parallel, in one folder and in separate folders; and as a Slurm job array, which is cancelled halfway and submitted again.
Slurm's controller and node daemon run on this host with their own configuration, keys and ports in a temporary folder.

Needs parallel, slurm-wlm and munge (Debian: apt-get install slurm-wlm munge parallel), and root for slurmd. Parts whose
tools are missing are skipped with a message, and the exit code is then 3. It is 1 if two reports differ or Slurm does not
start.
USAGE
}

set -euo pipefail
case ${1:-} in -h | --help) usage && exit 0 ;; esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repository=$PWD
program=${1:-}
if [ -z "$program" ]; then
    cargo build --release --locked --quiet --bin thawline
    program=${CARGO_TARGET_DIR:-target}/release/thawline
fi
program=$(realpath "$program")
export THAWLINE=$program

place=$(mktemp -d)
daemons=()
end() {
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
    rm -rf "$place"
}
trap end EXIT
cd "$place"

say() { printf '%s\n' "$*"; }
skipped=0
has() { # TOOL...
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { say "skipped: $tool is missing"; skipped=3; return 1; }
    done
}

"$program" data synth pictures --train 600 --test 200 >/dev/null
flags=(--arms "frozen,frozen-warm,scratch,frozen-random,fine-tune,reversed,frozen@10,scratch@10" --seeds 0..4 --epochs 4
    --batch-size 32 --filters 8 --dense 16 --no-times --data "$place/pictures")

# Compares the report on one or more folders with that of the direct sweep.
compare() { # NAME FOLDER...
    local name=$1
    shift
    "$program" report --no-times --out "report-$name" "$@" >/dev/null
    diff -r report-direct "report-$name" || { say "$name: the report differs"; exit 1; }
    say "$name: $(find "report-$name" -type f | wc -l) files, all as in the direct sweep"
}

"$program" sweep "${flags[@]}" --out direct >/dev/null
"$program" report --no-times --out report-direct direct >/dev/null
say "direct: $(find direct/jobs -name '*.json' | wc -l) jobs"

if has parallel; then
    parallel --will-cite -j 4 "$program" sweep "${flags[@]}" --shard '{}/4' --out shared ::: 1 2 3 4 >/dev/null
    diff shared/report.html report-direct/report.html
    compare "parallel-one-folder" shared
    parallel --will-cite -j 4 "$program" sweep "${flags[@]}" --shard '{}/4' --out 'part-{}' ::: 1 2 3 4 >/dev/null
    compare "parallel-four-folders" part-4 part-2 part-1 part-3
fi

# A separate Slurm; the host's configuration is neither read nor changed.
start_slurm() {
    local host log
    host=$(hostname -s)
    mkdir -p slurm/state slurm/spool && chmod 755 "$place" slurm
    head -c 1024 /dev/urandom >slurm/munge.key && chmod 400 slurm/munge.key
    munged --foreground --force --key-file="$place/slurm/munge.key" --socket="$place/slurm/munge.socket" \
        --pid-file="$place/slurm/munged.pid" --seed-file="$place/slurm/munge.seed" >slurm/munged.log 2>&1 &
    daemons+=($!)
    cat >slurm/slurm.conf <<CONF
ClusterName=thawline
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$place/slurm/munge.socket
SlurmctldPort=26817
SlurmdPort=26818
StateSaveLocation=$place/slurm/state
SlurmdSpoolDir=$place/slurm/spool
SlurmctldPidFile=$place/slurm/slurmctld.pid
SlurmdPidFile=$place/slurm/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    export SLURM_CONF=$place/slurm/slurm.conf
    for _ in $(seq 100); do
        [ -S slurm/munge.socket ] && break
        sleep 0.3
    done
    slurmctld -D >slurm/slurmctld.log 2>&1 &
    daemons+=($!)
    slurmd -D >slurm/slurmd.log 2>&1 &
    daemons+=($!)
    for _ in $(seq 100); do
        [ "$(sinfo -h -o %T 2>/dev/null)" = idle ] && return 0
        sleep 0.3
    done
    for log in slurm/*.log; do say "== $log" && tail -5 "$log"; done
    say "FAILED: Slurm does not start"
    exit 1
}

if has munged slurmctld slurmd sbatch; then
    start_slurm
    say "Slurm: $(sbatch --version), $(sinfo -h -o '%D node, %C CPUs allocated/idle/other/total')"
    submit() { sbatch --parsable --array=1-4 --cpus-per-task=1 --mem=100M "$@" "$repository/scripts/slurm_sweep.sbatch" "${flags[@]}" --out array; }
    job=$(submit)
    for _ in $(seq 300); do
        [ "$(find array/jobs -name '*.json' 2>/dev/null | wc -l)" -ge 3 ] && break
        sleep 0.1
    done
    scancel "$job"
    while [ -n "$(squeue -h -j "$job" 2>/dev/null)" ]; do sleep 0.2; done
    say "Slurm: cancelled with $(find array/jobs -name '*.json' | wc -l) jobs done"
    submit --wait >/dev/null
    diff array/report.html report-direct/report.html
    compare "slurm-array" array
fi
exit $skipped
