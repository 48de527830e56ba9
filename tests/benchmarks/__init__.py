"""Commands that measure, and print what they measured. Never asserted on in tests."""

from __future__ import annotations
