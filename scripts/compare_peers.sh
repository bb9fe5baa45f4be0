#!/bin/sh
# Times Thawline, Keras and PyTorch in interleaved rounds on this machine; --help says what it needs. Installs nothing.
exec python3 "$(dirname "$0")/peers/compare.py" "$@"
