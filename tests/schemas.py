"""Holds documents to the schemas that are published in docs/schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))


def fits(name: str, document: Mapping[str, Any]) -> None:
    """Raise jsonschema.ValidationError unless the document, through JSON text, fits; formats included."""
    _validator(name).validate(json.loads(json.dumps(document)))


@cache
def _validator(name: str) -> Draft202012Validator:
    schemas = [json.loads((FOLDER / f"{each}.json").read_text("utf-8")) for each in NAMES]
    known: Registry[Any] = Registry().with_resources((each["$id"], Resource.from_contents(each)) for each in schemas)
    schema = schemas[NAMES.index(name)]
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, registry=known, format_checker=Draft202012Validator.FORMAT_CHECKER)
