#!/bin/sh
# Make /opt/venv with what a list names, in the versions of constraints.txt and no others.
#   install.sh LIST
set -eu
python=/opt/venv/bin/python

python3 -m venv --without-pip /opt/venv
pip --python "$python" install --no-compile --constraint constraints.txt --requirement "$1"

# What a list brings along must be pinned too, or two builds of the same commit differ.
loose=$(pip --python "$python" freeze | grep -vixFf constraints.txt || true)
if [ -n "$loose" ]; then
    echo "error: constraints.txt does not pin these, run 'make constraints':" $loose >&2
    exit 1
fi
sh "$(dirname "$0")/compile.sh" /opt/venv
