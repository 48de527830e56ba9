"""Build the wheel, install it where no development package is, and use it there: `python -m tests.wheel`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOP_LEVEL = {"connector", "monitor", "tui", "fixtures"}
PIN = re.compile(r"^(?P<pin>[A-Za-z0-9._-]+==[^\s\\]+(?: ; [^\\]+)?)", re.MULTILINE)


def build(into: Path) -> Path:
    """Return the built wheel, after checking that it holds our four packages and nothing else."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", into, ROOT],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (wheel,) = into.glob("*.whl")
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    extra = {name for name in names if name not in TOP_LEVEL and not name.endswith(".dist-info")}
    if extra or not names >= TOP_LEVEL:
        raise SystemExit(f"the wheel's top level is {sorted(names)}")
    return wheel


def install(wheel: Path, home: Path) -> Path:
    """Install the wheel with the pinned versions of what it needs, and return the environment's bin folder."""
    pins = home / "pins.txt"
    pins.write_text("\n".join(PIN.findall((ROOT / "constraints.txt").read_text())))
    venv.create(home / "env", with_pip=True)
    bin_folder = home / "env" / "bin"
    pip = [str(bin_folder / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", str(pins), f"{wheel}[postgres]"], check=True)
    return bin_folder


def use(bin_folder: Path, home: Path) -> None:
    """Run what a newcomer would run first; a non-zero exit ends the check."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("REPRISE_", "PYTHON"))}
    environment["HOME"] = str(home)
    for words in (
        ["reprise", "--version"],
        ["reprise", "--help"],
        ["python", "-m", "fixtures.org", "--list"],
        ["reprise", "demo", "--headless"],
    ):
        print("$", *words, flush=True)
        subprocess.run([bin_folder / words[0], *words[1:]], check=True, cwd=home, env=environment)


def main() -> None:
    """Build, install, use."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        use(install(build(home), home), home)


if __name__ == "__main__":
    main()
