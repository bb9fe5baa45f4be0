#!/bin/sh
# Downloads the CIFAR-10 binary archive (170 MB), verifies it, and puts it where Thawline finds it.

usage() {
    cat <<'USAGE'
usage: scripts/fetch_cifar10.sh [--url URL] [DIR]

Downloads cifar-10-binary.tar.gz to DIR (default: data). Needs curl or wget. An interrupted download is kept as
cifar-10-binary.tar.gz.part, and the next call resumes it. The file is renamed only after its size and SHA-256 have been
verified. An archive that is already there and correct is not downloaded again.

  --url URL   download from a mirror; also CIFAR10_URL. Default: https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz
  CIFAR10_BYTES, CIFAR10_SHA256   the expected size and hash, for another archive in the same format

Exit codes: 0 the archive is there and verified; 1 the server's file is not the archive; 2 bad usage;
3 no network, space, permission or tool: run again to resume; 130 or 143 interrupted: run again to resume.
USAGE
}

set -u

archive=cifar-10-binary.tar.gz
url=${CIFAR10_URL:-https://www.cs.toronto.edu/~kriz/$archive}
expected_bytes=${CIFAR10_BYTES:-170052171}
expected_sha256=${CIFAR10_SHA256:-c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd}

say() { printf '%s\n' "$*" >&2; }

fail() { # CODE MESSAGE...
    code=$1
    shift
    say "fetch_cifar10: $*"
    exit "$code"
}

size_of() { if [ -f "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi; }

sha256_of() {
    if command -v sha256sum >/dev/null; then
        sha256sum <"$1" | cut -d ' ' -f 1
    elif command -v shasum >/dev/null; then
        shasum -a 256 <"$1" | cut -d ' ' -f 1
    else
        openssl dgst -sha256 <"$1" | sed 's/.*= *//'
    fi
}

is_right() { [ "$(size_of "$1")" = "$expected_bytes" ] && [ "$(sha256_of "$1")" = "$expected_sha256" ]; }

what_is_wrong_with() { # FILE -> a sentence: what was expected, what was found
    found=$(size_of "$1")
    if [ "$(od -An -tx1 -N2 "$1" | tr -d ' \n')" != 1f8b ]; then
        echo "not a gzip file ($found bytes): a saved web page or a proxy's answer?"
    elif [ "$found" != "$expected_bytes" ]; then
        echo "$found bytes, expected $expected_bytes"
    else
        echo "SHA-256 $(sha256_of "$1"), expected $expected_sha256"
    fi
}

# One attempt to complete $part from where it ends; the caller checks the result.
download() {
    if command -v curl >/dev/null; then
        if [ -t 2 ]; then quiet='--progress-bar'; else quiet='--silent'; fi
        curl --fail --location --show-error "$quiet" --connect-timeout 20 --speed-limit 1 --speed-time 60 \
            --continue-at - --output "$part" "$url"
        status=$?
        cannot_write=23
        if [ $status -eq 33 ]; then # "HTTP server doesn't seem to support byte ranges"
            say "The server cannot resume a download: starting over."
            rm -f "$part"
            download
            return
        fi
    else
        wget --no-verbose --tries=1 --timeout=60 --continue --output-document="$part" "$url"
        status=$?
        cannot_write=3
    fi
    [ $status -ne $cannot_write ] ||
        fail 3 "cannot write $part: is the disk full? Free some space and run again to resume."
    return $status
}

tell_where_the_program_looks() {
    say "Thawline reads pictures from --data PATH, else \$THAWLINE_DATA, else data/ in the working directory,"
    say "else it draws its own. Next: cargo run --release -- --data '$target'"
}

# -- the command line

directory=
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --url) [ $# -ge 2 ] || fail 2 "--url needs a URL"; url=$2; shift ;;
        --url=*) url=${1#--url=} ;;
        -*) fail 2 "unknown option $1; see --help" ;;
        *) [ -z "$directory" ] || fail 2 "expected one folder, found '$directory' and '$1'"; directory=$1 ;;
    esac
    shift
done
directory=${directory:-data}
target=$directory/$archive
part=$target.part

command -v curl >/dev/null || command -v wget >/dev/null || fail 3 "needs curl or wget"
command -v sha256sum >/dev/null || command -v shasum >/dev/null || command -v openssl >/dev/null ||
    fail 3 "needs sha256sum, shasum or openssl, to verify the download"
mkdir -p "$directory" || fail 3 "cannot create the folder $directory"
[ -w "$directory" ] || fail 3 "no permission to write in $directory"

if [ -e "$target" ]; then
    [ -f "$target" ] || fail 2 "$target exists but is not a file"
    if is_right "$target"; then
        say "$target is already there and verified: nothing to download."
        tell_where_the_program_looks
        exit 0
    fi
    say "$target is wrong: $(what_is_wrong_with "$target"). A verified download will replace it."
fi

trap 'say "Interrupted: run again to resume."; exit 130' INT
trap 'say "Terminated: run again to resume."; exit 143' TERM

# -- download until the file is complete, as long as every attempt makes progress

began_at=$(size_of "$part")
if [ "$began_at" -gt "$expected_bytes" ]; then
    rm -f "$part"
    began_at=0
fi
[ "$began_at" -eq 0 ] || say "Resuming $part at byte $began_at of $expected_bytes."

while :; do
    before=$(size_of "$part")
    if [ "$before" -lt "$expected_bytes" ]; then
        say "Downloading $url"
        if ! download && [ "$(size_of "$part")" -lt "$expected_bytes" ]; then
            after=$(size_of "$part")
            if [ "$after" -le "$before" ]; then
                [ "$after" -gt 0 ] || rm -f "$part"
                fail 3 "no data from $url ($after of $expected_bytes bytes so far):" \
                    "run again to resume, or name a mirror with --url."
            fi
            say "The connection was lost at byte $after of $expected_bytes: resuming."
            continue
        fi
    fi
    if is_right "$part"; then break; fi

    # Complete but wrong. The part from an earlier call may be at fault, so a resumed file gets one more try from byte 0.
    wrong=$(what_is_wrong_with "$part")
    rm -f "$part"
    [ "$began_at" -gt 0 ] || fail 1 "the file at $url is not the archive: $wrong. It has been removed."
    say "The resumed file is wrong: $wrong. Starting over."
    began_at=0
done

mv -f "$part" "$target" || fail 3 "cannot rename $part to $target"
say "$target: $expected_bytes bytes, SHA-256 verified."
tell_where_the_program_looks
