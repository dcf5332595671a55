#!/bin/sh
# install.sh NAME OPTION: a virtual environment /opt/NAME with /build/NAME.txt; OPTION goes to pip (may be empty).
set -eu
python3 -m venv --without-pip "/opt/$1"
python3 -m pip --python "/opt/$1/bin/python" install ${2:+"$2"} --find-links /wheels --requirement "/build/$1.txt"
