#!/bin/sh
# Tests fetch_cifar10.sh against a local web server that works, misbehaves or is down. Needs python3, and curl or wget (tests
# with both if it has both). Takes a few seconds, uses no network, leaves nothing behind.
set -u

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# -- a stand-in for the archive, gzip's magic number and noise, 300,000 bytes in all; and files that are not the archive

mkdir "$work/files"
python3 - "$work/files" <<'PYTHON'
import pathlib, random, sys
files = pathlib.Path(sys.argv[1])
archive = b"\x1f\x8b" + random.Random(1).randbytes(299_998)
files.joinpath("archive").write_bytes(archive)
files.joinpath("wrong").write_bytes(archive[:-1] + bytes([archive[-1] ^ 1]))  # one bit
files.joinpath("short").write_bytes(archive[:200_000])
files.joinpath("page").write_bytes(b"<!doctype html><title>Please log in</title>")
PYTHON
archive=$work/files/archive

# -- the server: /plain/FILE supports Range, /norange/FILE does not, /cut/FILE closes the connection after 100,000 bytes.
#    It writes its port to $work/port, and a line "PATH RANGE" for each request to $work/requests.

cat >"$work/server.py" <<'PYTHON'
import http.server, pathlib, re, sys

work = pathlib.Path(sys.argv[1])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range", "")
        with open(work / "requests", "a") as log:
            log.write(f"{self.path} {asked or 'all'}\n")
        _, manner, name = self.path.split("/")
        path = work / "files" / name
        if not path.exists():
            return self.send_error(404)
        body, start = path.read_bytes(), 0
        span = re.fullmatch(r"bytes=(\d+)-", asked)
        if span and manner != "norange":
            start = int(span[1])
            if start >= len(body):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if manner != "norange":
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : start + 100_000] if manner == "cut" else body[start:])

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
(work / "port.new").write_text(str(server.server_port))
(work / "port.new").rename(work / "port")
server.serve_forever()
PYTHON
python3 "$work/server.py" "$work" &
server=$!
waited=0
until [ -f "$work/port" ]; do
    waited=$((waited + 1))
    [ $waited -lt 100 ] || { echo "test_fetch: the local server did not start" >&2; exit 1; }
    sleep 0.1
done
address=http://127.0.0.1:$(cat "$work/port")

# -- functions that the trials use

failures=0
trials=0

begin() { # NAME: a trial starts with an empty folder, a space in its name, and an empty request log
    trial="$tool: $1"
    trials=$((trials + 1))
    folder="$work/a folder"
    rm -rf "$folder"
    mkdir "$folder"
    target="$folder/cifar-10-binary.tar.gz"
    : >"$work/requests"
}

fetch() { # URL-PATH [ARGUMENTS]: runs the script with $tool as the only downloader; keeps its exit code and messages
    url_path=$1
    shift
    PATH=$work/path-$tool CIFAR10_BYTES=300000 CIFAR10_SHA256=$archive_sha256 \
        "$here/fetch_cifar10.sh" --url "$address$url_path" "$@" "$folder" >"$work/messages" 2>&1
    code=$?
}

check() { # WHAT TEST...: counts a failure if the test fails
    what=$1
    shift
    "$@" && return
    failures=$((failures + 1))
    echo "FAILED $trial: $what. Exit code $code, and it said:" >&2
    sed 's/^/    /' "$work/messages" >&2
}

code_is() { [ "$code" -eq "$1" ]; }
is_absent() { [ ! -e "$1" ]; }
has_size() { [ "$(wc -c <"$1" | tr -d ' ')" -eq "$2" ]; }
said() { grep -q -- "$1" "$work/messages"; }
requests_are() { [ "$(tr '\n' ';' <"$work/requests")" = "$1" ]; }
delivered() {
    check "exit code 0" code_is 0
    check "the archive is complete" cmp -s "$archive" "$target"
    check "no .part is left" is_absent "$target.part"
    check "tells where the program looks" said "THAWLINE_DATA"
}
refused() { # CODE
    check "exit code $1" code_is "$1"
    check "no archive appears" is_absent "$target"
}

archive_sha256=$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$archive")

# -- the trials

try_with() {
    tool=$1

    begin "fresh download"
    fetch /plain/archive
    delivered
    check "one request, for everything" requests_are "/plain/archive all;"

    : >"$work/requests"
    fetch /plain/archive
    delivered
    check "the second run says that it is there" said "already there and verified"
    check "the second run requests nothing" requests_are ""

    begin "a partial file is resumed"
    head -c 120000 "$archive" >"$target.part"
    fetch /plain/archive
    delivered
    check "only the rest is requested" requests_are "/plain/archive bytes=120000-;"

    begin "a complete .part, not yet renamed"
    cp "$archive" "$target.part"
    fetch /plain/archive
    delivered
    check "nothing is requested" requests_are ""

    begin "a partial file of something else"
    head -c 120000 /dev/zero >"$target.part"
    fetch /plain/archive
    delivered
    check "resumed, then started over" requests_are "/plain/archive bytes=120000-;/plain/archive all;"

    begin "a .part larger than the archive"
    head -c 400000 /dev/zero >"$target.part"
    fetch /plain/archive
    delivered

    begin "a connection that is lost twice"
    fetch /cut/archive
    delivered
    check "resumed where it stopped" \
        requests_are "/cut/archive all;/cut/archive bytes=100000-;/cut/archive bytes=200000-;"

    begin "a server that cannot resume"
    head -c 120000 "$archive" >"$target.part"
    fetch /norange/archive
    delivered

    begin "one flipped bit"
    fetch /plain/wrong
    refused 1
    check "names both hashes" said "SHA-256 .*, expected $archive_sha256"
    check "the wrong file is removed" is_absent "$target.part"

    begin "a file that is too short"
    fetch /plain/short
    refused 1
    check "names both sizes" said "200000 bytes, expected 300000"

    begin "a web page instead"
    fetch /plain/page
    refused 1
    check "says what it looks like" said "saved web page"

    begin "not found"
    fetch /plain/missing
    refused 3
    check "no empty .part is left" is_absent "$target.part"

    begin "an archive that is there but wrong"
    cp "$work/files/wrong" "$target"
    fetch /plain/wrong
    check "exit code 1" code_is 1
    check "the old file stays on failure" cmp -s "$work/files/wrong" "$target"
    fetch /plain/archive
    delivered

    begin "a full disk (simulated by a file size limit)"
    # shellcheck disable=SC3045 # ulimit -f is in POSIX
    code=$(trap '' XFSZ; ulimit -f 200; fetch /plain/archive; echo $code)
    refused 3
    check "asks about the disk" said "is the disk full?"
    fetch /plain/archive
    delivered

    begin "bad usage"
    fetch /plain/archive --no-such-option
    refused 2
    fetch /plain/archive "$work/another folder"
    refused 2
    mkdir "$target"
    fetch /plain/archive
    check "a folder in the archive's place: exit code 2" code_is 2

    begin "server down"
    head -c 120000 "$archive" >"$target.part"
    working_address=$address
    address=http://127.0.0.1:9 # the discard port: nothing listens
    fetch /plain/archive
    address=$working_address
    refused 3
    check "the partial download is kept" has_size "$target.part" 120000
    fetch /plain/archive
    delivered
}

# The script prefers curl; to test wget, its PATH has no curl.
tried=
for tool in curl wget; do
    command -v "$tool" >/dev/null || continue
    tried="$tried $tool"
    mkdir "$work/path-$tool"
    for program in sh "$tool" sha256sum shasum openssl sed cut tr wc od cat mkdir mv rm; do
        ! found=$(command -v "$program") || ln -s "$found" "$work/path-$tool/$program"
    done
    try_with "$tool"
done
[ -n "$tried" ] || { echo "test_fetch: needs curl or wget" >&2; exit 1; }

if [ $failures -gt 0 ]; then
    echo "test_fetch: $failures checks failed" >&2
    exit 1
fi
echo "test_fetch: $trials trials passed, with$tried"
