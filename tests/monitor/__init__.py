"""Tests of monitor/: pure functions on hand-made stories, everything else on a real database."""

from __future__ import annotations
