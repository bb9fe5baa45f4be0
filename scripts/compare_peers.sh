#!/bin/sh
# Times Thawline, Keras, PyTorch, burn and candle in interleaved rounds; --help says what it needs. Installs nothing.
exec python3 "$(dirname "$0")/peers/compare.py" "$@"
