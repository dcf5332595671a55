# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
"""Cleans an exported conda environment, and says it for pip as well. Standard library only.

usage: conda_env.py ENVIRONMENT.yml FOLDER. Writes FOLDER/environment.yml without `prefix:` and build strings, which name
one machine and one platform; and FOLDER/requirements.txt with the same packages by pip's names, for where no conda
channel can be reached. What is no Python package is left out there, and said.
"""

import re
import sys
from pathlib import Path

PIP_NAMES = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "tensorflow-base": "tensorflow-cpu",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "msgpack-python": "msgpack",
    "py-xgboost": "xgboost",
    "redis-py": "redis",
}
"""Packages whose name differs."""
NOT_PYTHON = re.compile(
    r"(_.*|lib.*|.*-(ng|mutex)|python|python_abi|pip|conda|mamba|openssl|ca-certificates|certifi-system|ncurses|readline"
    r"|sqlite|tk|xz|zlib|zstd|bzip2|yaml|mkl|mkl-service|blas|openblas|intel-openmp|llvm-openmp|icu|ld_impl_.*|ffmpeg"
    r"|cudatoolkit|cuda.*|cudnn|nccl|pytorch-cuda|cpuonly|tzdata|gmp|mpfr|mpc|nettle|gnutls|lame|openh264|x264|jpeg)"
)
"""Libraries and tools of conda itself; wheels bring what they need of them."""
SPEC = re.compile(r"(?:[^:\s]+::)?([A-Za-z0-9_.-]+)\s*(?:([=<>!~]=?|==)\s*([^=\s]+)(?:=(\S+))?)?(.*)")


class Unreadable(ValueError):
    """A line that no exported environment has."""


def read(text):
    """Channels, conda specs and pip lines, in their order."""
    section, channels, specs, pips = "", [], [], []
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        if not line:
            continue
        top = re.match(r"([A-Za-z_]+):\s*(.*)$", line)
        item = re.match(r"(\s*)-\s+(.*)$", line)
        if top:
            section = top[1]
            if top[2] and section in ("channels", "dependencies"):
                raise Unreadable(f"line {number}: write {section} as a list, an item a line")
        elif item and section == "channels":
            channels.append(item[2].strip("'\""))
        elif item and section in ("dependencies", "pip"):
            if re.fullmatch(r"pip\s*:", item[2]):
                section, inner = "pip", len(item[1])
            elif section == "pip" and len(item[1]) > inner:
                pips.append(item[2].strip("'\""))
            else:
                section = "dependencies"
                specs.append(item[2].strip("'\""))
        elif section in ("channels", "dependencies", "pip"):
            raise Unreadable(f"line {number}: cannot be read: {raw.strip()}")
    return channels, specs, pips


def clean(spec):
    """A conda spec without its build string."""
    found = SPEC.fullmatch(spec)
    if not found or not found[4]:
        return spec
    return spec[: found.start(4) - 1]


def as_pip(spec):
    """The requirement for pip; None for what is no Python package."""
    found = SPEC.fullmatch(spec)
    if not found:
        raise Unreadable(f"{spec!r} is no package")
    name, sign, version, rest = found[1].lower(), found[2], found[3], found[5].strip()
    if NOT_PYTHON.fullmatch(name):
        return None
    # conda's single = means "of this series" where parts are missing
    bound = "" if not sign else f"=={version}" if sign == "=" and version.count(".") >= 2 else ""
    if sign and not bound:
        bound = f"=={version}.*" if sign == "=" and not version.endswith("*") else f"{'==' if sign == '=' else sign}{version}"
    return PIP_NAMES.get(name, name) + bound + rest


def main(source, folder):
    try:
        channels, specs, pips = read(Path(source).read_text(encoding="utf-8"))
        wanted = [(spec, as_pip(spec)) for spec in specs]
    except Unreadable as error:
        sys.exit(f"{source}: {error}")
    lines = ["channels:", *(f"  - {channel}" for channel in channels or ["conda-forge"]), "dependencies:"]
    lines += [f"  - {clean(spec)}" for spec in specs]
    if pips:
        lines += ["  - pip:", *(f"      - {line}" for line in pips)]
    made = Path(folder)
    made.mkdir(parents=True, exist_ok=True)
    (made / "environment.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (made / "requirements.txt").write_text("\n".join([*filter(None, (pip for _, pip in wanted)), *pips, ""]), encoding="utf-8")
    left = ", ".join(spec for spec, pip in wanted if pip is None)
    if left:
        print(f"left out for pip: {left}")


if __name__ == "__main__":
    main(*sys.argv[1:])
