"""What must never be written into the project."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# Spelt apart so that this file does not find itself.
REGISTRY_HOSTS = re.compile(
    "|".join(("pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npmjs", "deb" + r"\.debian"))
)
LOCK_FILES = {"uv.lock", "poetry.lock", "package-lock.json", "yarn.lock"}


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def test_no_file_names_a_registry_and_no_lock_file_is_tracked() -> None:
    """Pins live in constraints.txt with hashes; where packages come from is the installer's business."""
    assert not [path for path in _tracked() if path.name in LOCK_FILES]
    named = [
        str(path.relative_to(ROOT))
        for path in _tracked()
        if path.is_file() and REGISTRY_HOSTS.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert named == []


def test_every_pinned_package_has_a_hash() -> None:
    """pip refuses what it cannot verify only if every requirement carries a hash."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / "constraints.txt").read_text())
    assert not [block.splitlines()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block]
