#!/bin/sh
# Compile the Python files in folders: a read-only container cannot keep what it compiles at its start.
# The byte code names its source by hash, not by time, so that it is the same in every build.
#   compile.sh FOLDER...
set -eu
# Some distributions ship templates that are no Python; they are left as they are.
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash "$@" || true
