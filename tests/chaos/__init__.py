"""Commands that try to break the mirror, and print what came of it."""

from __future__ import annotations
