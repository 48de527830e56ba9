"""Where a setting's value comes from: flag, environment, file or default, in that order, with every problem collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from tui.format import exactly, length_of_time, nearest, plain

M = TypeVar("M", bound=BaseModel)

PREFIX = "REPRISE_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as `config show` prints it; a secret's value never gets here."""

    key: str
    value: str
    origin: str


@dataclass
class Sources:
    """One reading of all sources. `section` answers piece by piece; `problems` and `shown` fill up meanwhile."""

    file: Path | None
    environment: Mapping[str, str]
    problems: list[str] = field(default_factory=list)
    shown: list[Setting] = field(default_factory=list)
    variables: set[str] = field(default_factory=set)

    def section(
        self, prefix: str, model: type[M], table: Mapping[str, Any], variables: Callable[[str], tuple[str, ...]]
    ) -> M | None:
        """Read one model from `table` and the environment. None, and a problem each, if it cannot be built.

        `prefix` is what stands before a key (`sync.`), `variables` the environment's names for a field, best first.
        """
        self._refuse_unknown(prefix, model, table)
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for name in model.model_fields:
            read = self._value(prefix, name, model, table, variables(name))
            if read is not None:
                values[name], origins[name] = read
        try:
            built = model.model_validate(values)
        except ValidationError as error:
            self.problems += [_problem(prefix, each, origins) for each in error.errors(include_url=False)]
            return None
        for name in model.model_fields:
            self.shown.append(Setting(prefix + name, shown(getattr(built, name)), origins.get(name, "default")))
        return built

    def _value(
        self, prefix: str, name: str, model: type[BaseModel], table: Mapping[str, Any], variables: tuple[str, ...]
    ) -> tuple[Any, str] | None:
        annotation = model.model_fields[name].annotation
        secret = _holds(annotation, SecretStr)
        read = self._from_environment(variables, secret=secret) or self._from_file(prefix, name, table, secret=secret)
        if read is None:
            return None
        value, origin = read
        if isinstance(value, str) and _holds(annotation, timedelta):
            try:
                value = length_of_time(value)
            except ValueError as error:
                self.problems.append(f"{prefix}{name} ({origin}): {error}")
                return None
        if isinstance(value, str) and _holds(annotation, Path) and self.file is not None and origin == str(self.file):
            value = self.file.parent / Path(value).expanduser()
        return value, origin

    def _from_environment(self, variables: tuple[str, ...], *, secret: bool) -> tuple[Any, str] | None:
        self.variables.update(variables)
        for variable in variables:
            if value := self.environment.get(variable):
                return value, variable
        if secret:
            self.variables.update(f"{variable}_FILE" for variable in variables)
            for variable in (f"{variable}_FILE" for variable in variables):
                if path := self.environment.get(variable):
                    return self._content(Path(path), variable)
        return None

    def _from_file(self, prefix: str, name: str, table: Mapping[str, Any], *, secret: bool) -> tuple[Any, str] | None:
        origin = str(self.file)
        if not secret:
            return (table[name], origin) if name in table else None
        if name in table:
            self.problems.append(
                f"{prefix}{name} ({origin}): a secret does not belong into the file; "
                f"put it into a file of its own and name that as {name}_file"
            )
        if path := table.get(f"{name}_file"):
            assert self.file is not None
            return self._content(self.file.parent / Path(str(path)).expanduser(), f"{origin}: {name}_file")
        return None

    def _content(self, path: Path, origin: str) -> tuple[str, str] | None:
        try:
            return path.read_text("utf-8").strip(), origin
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            self.problems.append(f"{origin}: cannot read {path}: {reason}")
            return None

    def _refuse_unknown(self, prefix: str, model: type[BaseModel], table: Mapping[str, Any]) -> None:
        known = list(model.model_fields)
        known += [f"{name}_file" for name, info in model.model_fields.items() if _holds(info.annotation, SecretStr)]
        for key in table:
            if key not in known:
                self.problems.append(f"{prefix}{plain(key)} ({self.file}): unknown setting{nearest(key, known)}")


def shown(value: object) -> str:
    """A value for `config show`."""
    if isinstance(value, SecretStr):
        return "(set, not shown)"
    if isinstance(value, timedelta):
        return exactly(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _holds(annotation: Any, kind: type) -> bool:
    return annotation is kind or kind in get_args(annotation)


def _problem(prefix: str, error: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    """One sentence for one validation error. The value stays out of it: it may be a secret."""
    key = ".".join(str(part) for part in error["loc"])
    origin = origins.get(str(error["loc"][0]) if error["loc"] else "")
    message = str(error["msg"]).removeprefix("Value error, ")
    place = f"{prefix}{key}".rstrip(".")  # a section whose settings contradict each other has no key
    return f"{place}{f' ({origin})' if origin else ''}: {message[:1].lower()}{message[1:]}"
