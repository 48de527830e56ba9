"""One file per schema change, named NNNN_what.py with revision = "NNNN": the number orders them and names the schema."""

from __future__ import annotations
