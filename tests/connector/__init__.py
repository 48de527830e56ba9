"""The connector against the simulated org, over HTTP, on each store."""

from __future__ import annotations
