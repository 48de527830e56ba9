"""Empty mirrors for tests: migrated once, then copied. Migrating is most of what making one costs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from connector.mirror.engine import open_mirror


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "mirror.sqlite3"
        open_mirror(f"sqlite:///{file}").dispose()
        return file.read_bytes()


def empty_mirror(folder: Path, name: str = "mirror.sqlite3") -> str:
    """The SQLAlchemy URL of a new SQLite mirror without rows."""
    file = folder / name
    file.write_bytes(_migrated())
    return f"sqlite:///{file}"
