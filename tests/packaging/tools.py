"""The tools of the checks: where they are, and how they come into target/ when they are missing."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TOOLS = TARGET.absolute() / "tools"
# Python's packages, with their versions.
VENV = TOOLS / "packaging"
REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")
# Debian's packages, unpacked: installed ones would start servers.
DEBIAN = TOOLS / "debian"
PROGRAMS = {"nginx": "nginx", "caddy": "caddy", "promtool": "prometheus", "strace": "strace"}


def environment():
    """Where programs are looked for: the machine's own first, then ours."""
    places = [os.environ.get("PATH", ""), "/usr/sbin", f"{DEBIAN}/usr/bin", f"{DEBIAN}/usr/sbin"]
    return os.environ | {"PATH": ":".join(places)}


def python():
    """The one with our packages, if they are there."""
    ours = VENV / "bin/python"
    return str(ours if ours.exists() else sys.executable)


def install():
    """Gets what is missing. What cannot be had is said, and left out by the tests that need it."""
    path = environment()["PATH"]
    missing = [package for name, package in PROGRAMS.items() if not shutil.which(name, path=path)]
    for package in missing:
        print(f"There is no {package} here; unpacking Debian's into {DEBIAN}, once.")
        if not unpack(package):
            print(f"{package} cannot be had: what needs it is NOT tested.")
    stamp = VENV / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != REQUIREMENTS.read_text():
        print(f"Putting Python's packages into {VENV}, once.")
        if not packages():
            print("They cannot be had: Kubernetes' schemas and sockets are NOT tested.")
    return 0


def unpack(package):
    """Takes a package's files without running any of its scripts, so that nothing is started."""
    DEBIAN.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        if not quietly(["apt-get", "-q", "download", package], directory):
            # The lists may be old, or not there; to get new ones one must be root.
            if os.getuid() != 0 or not quietly(["apt-get", "-q", "update"], directory) \
               or not quietly(["apt-get", "-q", "download", package], directory):
                return False
        found = list(pathlib.Path(directory).glob("*.deb"))
        return bool(found) and quietly(["dpkg-deb", "-x", str(found[0]), str(DEBIAN)], directory)


def packages():
    shutil.rmtree(VENV, ignore_errors=True)
    pip = [str(VENV / "bin/pip"), "--disable-pip-version-check", "install", "-q"]
    made = quietly([sys.executable, "-m", "venv", str(VENV)], "/") \
        and quietly([*pip, "-r", str(REQUIREMENTS)], "/")
    if made:
        shutil.copy(REQUIREMENTS, VENV / "requirements.txt")
    else:
        shutil.rmtree(VENV, ignore_errors=True)
    return made


def quietly(words, directory):
    """Whether a program ends well; what it says is told only if it does not."""
    try:
        done = subprocess.run(words, cwd=directory, capture_output=True, text=True)
    except FileNotFoundError:
        return False
    if done.returncode != 0:
        print(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.returncode == 0
