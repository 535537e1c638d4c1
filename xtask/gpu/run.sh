#!/bin/sh
# Checks crisscross on the GPU of this machine. Needs Python with torch 2.11 and nothing else; `sh run.sh --help` says more.
# PYTHON names another Python than the `python3` of the path.
exec "${PYTHON:-python3}" "$(dirname "$0")/check.py" "$@"
