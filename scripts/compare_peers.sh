#!/bin/sh
# Times Thawline, Keras, PyTorch, burn and candle on this machine; --help says what it needs. Installs nothing.
exec python3 "$(dirname "$0")/peers/compare.py" "$@"
