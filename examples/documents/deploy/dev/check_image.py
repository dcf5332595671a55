# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
"""Checks what pip installed: every shared library must find the libraries it needs, every program must be there.

usage: check_image.py VENV PROGRAM... Slim images lack libraries that wheels expect from the system; without this check
that shows when the app is imported, as an ImportError in a container that restarts for ever.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

# Library -> the Debian 12 package that brings it.
PACKAGES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libOpenGL.so.0": "libopengl0",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libomp.so.5": "libomp5",
    "libgfortran.so.5": "libgfortran5",
    "libquadmath.so.0": "libquadmath0",
    "libatomic.so.1": "libatomic1",
    "libstdc++.so.6": "libstdc++6",
    "libopenblas.so.0": "libopenblas0",
    "libtbb.so.12": "libtbb12",
    "libnuma.so.1": "libnuma1",
    "libsndfile.so.1": "libsndfile1",
    "libportaudio.so.2": "libportaudio2",
    "libmagic.so.1": "libmagic1",
    "libjpeg.so.62": "libjpeg62-turbo",
    "libpng16.so.16": "libpng16-16",
    "libtiff.so.6": "libtiff6",
    "libxml2.so.2": "libxml2",
    "libxslt.so.1": "libxslt1.1",
    "libexpat.so.1": "libexpat1",
    "libpq.so.5": "libpq5",
    "libmariadb.so.3": "libmariadb3",
    "libodbc.so.2": "libodbc2",
    "libcurl.so.4": "libcurl4",
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libaio.so.1": "libaio1",
    "libibverbs.so.1": "libibverbs1",
    "librdmacm.so.1": "librdmacm1",
    "libzmq.so.5": "libzmq5",
}
# The driver's own libraries come from the host of a card, never from an image.
DRIVER = re.compile(r"lib(cuda|nvidia-|nvcuvid|nvoptix|cudadebugger)")
FILES_AT_ONCE = 100


def libraries(venv):
    """Every shared library below ``venv``, each file once."""
    found = {path.resolve() for path in venv.rglob("*.so*") if re.search(r"\.so(\.[0-9]+)*$", path.name)}
    return sorted(path for path in found if path.is_file())


def missing(output):
    """Library that was not found -> the first file that wants it, from what ldd printed about several files."""
    wanted, current = {}, "?"
    for line in output.splitlines():
        if not line.startswith("\t") and line.endswith(":"):
            current = line[:-1]
        match = re.match(r"\s+(\S+) => not found", line)
        if match:
            wanted.setdefault(match[1], current)
    return wanted


def ldd(paths):
    """What ldd prints about ``paths``; files that it cannot read (other machines' code) add nothing."""
    said = []
    for start in range(0, len(paths), FILES_AT_ONCE):
        # with one argument ldd leaves out the file's name
        batch = ["/bin/true", *map(str, paths[start : start + FILES_AT_ONCE])]
        said.append(subprocess.run(["ldd", *batch], capture_output=True, text=True, errors="replace").stdout)
    return "".join(said)


def main(venv, *programs):
    paths = libraries(Path(venv))
    # A name that lies in the environment is found at run time: whoever imports it has loaded it before.
    inside = {path.name for path in Path(venv).rglob("*.so*")}
    ignored = set(filter(None, os.environ.get("MLPACK_IGNORE_LIBRARIES", "").split(",")))
    wanted = {
        name: file
        for name, file in missing(ldd(paths)).items()
        if name not in inside and name not in ignored and not DRIVER.match(name)
    }
    known = {name: file for name, file in wanted.items() if name in PACKAGES}
    for name in sorted(wanted.keys() - known.keys()):
        print(f"note: {wanted[name]} wants {name}, which is not here; only what uses it would fail")
    for name in sorted(known):
        print(f"error: {known[name]} wants {name}, which Debian's package {PACKAGES[name]} brings")
    if known:
        packages = ", ".join(sorted({PACKAGES[name] for name in known}))
        print(f"Add this to mlpack.yaml (to a list that is there already) and render again:\n\n  build: {'{'}apt: [{packages}]{'}'}\n")
        print(f"Or, if nothing uses them: MLPACK_IGNORE_LIBRARIES={','.join(sorted(known))} docker compose build")
    lost = [name for name in programs if not (Path(venv) / "bin" / name).exists()]
    for name in lost:
        print(f"error: the service starts `{name}`, which the requirements do not install; add its package to them")
    if known or lost:
        return 1
    print(f"{len(paths)} shared libraries, all they need is here")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
