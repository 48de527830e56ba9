"""The one reader of configuration file and environment: flag > environment > reprise.toml > default.

    database = "sqlite:////srv/reprise/mirror.sqlite3"   REPRISE_DATABASE
    org = "prod"                                         REPRISE_ORG: the org meant where --org is not given
    [sync]                                               REPRISE_SYNC_POLL_FLOOR and so on
    [orgs.prod]                                          REPRISE_ORGS_PROD_INSTANCE_URL and so on

The unqualified REPRISE_INSTANCE_URL, REPRISE_CLIENT_ID … speak of the org meant where --org is not given: one org needs no
file, and an --org typed on purpose is never redirected by what some shell exported. Secrets come from the environment or
from a file of their own (`REPRISE_CLIENT_SECRET_FILE`, `client_secret_file`). Everything wrong is reported at once.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field

from connector.errors import ConfigError
from connector.mirror.address import shown
from connector.settings import Frozen, OrgSettings, SyncSettings
from monitor.settings import AlertSettings, MonitorSettings, ResumeSettings
from tui.format import nearest, plain
from tui.org_keys import OrgKeys, org_settings
from tui.sources import PREFIX, Setting, Sources

F = TypeVar("F", bound=Frozen)

FILE_NAME = "reprise.toml"
DEFAULT_ORG = "default"


class TopKeys(Frozen):
    """What stands above the tables of the file."""

    database: str = Field("", description="SQLAlchemy URL of the mirror; empty: a SQLite file in your state folder.")
    org: str = Field(
        "", description="The org meant where --org is not given; empty: the only one, or all when reading."
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything configured. `shown` is what `config show` prints: every value with its origin, secrets hidden.

    `default_org` is the org that a command signs in to without --org; `chosen_org` is the same where somebody chose it,
    and None where reading means every org of the mirror.
    """

    database: str
    orgs: Mapping[str, OrgSettings]
    default_org: str
    chosen_org: str | None
    sync: SyncSettings
    monitor: MonitorSettings
    resume: ResumeSettings
    alerts: AlertSettings
    file: Path | None
    shown: tuple[Setting, ...]
    warnings: tuple[str, ...]

    def org(self, name: str | None = None) -> OrgSettings:
        """The org called `name`, or the default one. Raises ConfigError with what is known instead."""
        wanted = name or self.default_org
        if wanted in self.orgs:
            return self.orgs[wanted]
        if not self.orgs:
            raise ConfigError(
                "No Salesforce org is configured.",
                next_step="Set REPRISE_INSTANCE_URL with REPRISE_ACCESS_TOKEN, or with REPRISE_CLIENT_ID and "
                "REPRISE_CLIENT_SECRET; or try `reprise demo`, which needs neither.",
            )
        raise ConfigError(
            f"No org is called {plain(wanted)!r}{nearest(wanted, self.orgs) or '.'}",
            next_step=f"Configured: {', '.join(self.orgs)}. Pick one with --org, REPRISE_ORG or `org = …` in {FILE_NAME}.",
        )


def load(
    config: Path | None = None, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Settings:
    """Read all sources. Raises ConfigError with one line per problem.

    `config` is the file named with --config; without it, REPRISE_CONFIG, then reprise.toml in `folder` (the current one),
    then in the user's configuration folder.
    """
    environment = os.environ if environment is None else environment
    file = _find_file(config, environment, folder or Path.cwd())
    tables = _read_file(file) if file else {}
    sources = Sources(file, environment)
    settings = _assemble(sources, tables)
    if sources.problems or settings is None:
        few = "a setting is" if len(sources.problems) == 1 else f"{len(sources.problems)} settings are"
        raise ConfigError(
            "\n".join([f"Nothing was done, because {few} wrong:", *(f"- {problem}" for problem in sources.problems)]),
            next_step="`reprise config show` prints every setting once these are right.",
        )
    return settings


def _find_file(config: Path | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    named = config or (Path(environment[f"{PREFIX}CONFIG"]) if environment.get(f"{PREFIX}CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(
                f"There is no configuration file {named}.", next_step="Name one that exists with --config."
            )
        return named
    candidates = (folder / FILE_NAME, platformdirs.user_config_path("reprise") / FILE_NAME)
    return next((path for path in candidates if path.is_file()), None)


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}.", next_step="Correct that line.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}.") from error


SECTIONS: dict[str, type[Frozen]] = {
    "sync": SyncSettings,
    "monitor": MonitorSettings,
    "resume": ResumeSettings,
    "alerts": AlertSettings,
}
"""The tables of the file beside [orgs.NAME]."""


def _assemble(sources: Sources, tables: dict[str, Any]) -> Settings | None:
    """All sections as one value, or None with the problems in `sources`."""
    top = {key: value for key, value in tables.items() if key not in {*SECTIONS, "orgs"}}
    for name in [key for key, value in top.items() if isinstance(value, dict)]:
        sources.problems.append(f"[{plain(name)}] ({sources.file}): unknown table{nearest(name, [*SECTIONS, 'orgs'])}")
        del top[name]
    keys = sources.section("", TopKeys, top, _variables(""))
    sync = _section(sources, tables, "sync", SyncSettings)
    monitor = _section(sources, tables, "monitor", MonitorSettings)
    resume = _section(sources, tables, "resume", ResumeSettings)
    alerts = _section(sources, tables, "alerts", AlertSettings)
    if keys is None:
        return None
    if "database" in top and urlsplit(keys.database).password:
        sources.problems.append(f"database ({sources.file}): it holds a password; set REPRISE_DATABASE instead")
    default_org = keys.org or _only(_table(sources, tables, "orgs")) or DEFAULT_ORG
    orgs = _orgs(sources, _table(sources, tables, "orgs"), default_org)
    if not (sync and monitor and resume and alerts):
        return None
    return Settings(
        database=keys.database or default_database(),
        orgs=orgs,
        default_org=default_org,
        chosen_org=keys.org or None,
        sync=sync,
        monitor=monitor,
        resume=resume,
        alerts=alerts,
        file=sources.file,
        shown=tuple(_for_eyes(setting) for setting in sources.shown),
        warnings=tuple(_misspelt_variables(sources)),
    )


def _section(sources: Sources, tables: Mapping[str, Any], name: str, model: type[F]) -> F | None:
    return sources.section(f"{name}.", model, _table(sources, tables, name), _variables(f"{name}_"))


def default_database() -> str:
    """A SQLite file in the user's state folder."""
    return f"sqlite:///{platformdirs.user_state_path('reprise') / 'mirror.sqlite3'}"


def _for_eyes(setting: Setting) -> Setting:
    """The database as it will be used, its password hidden."""
    if setting.key != "database":
        return setting
    return replace(setting, value=shown(setting.value or default_database()))


def _table(sources: Sources, tables: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = tables.get(name, {})
    if isinstance(table, dict):
        return table
    sources.problems.append(f"{plain(name)} ({sources.file}): write it as a table, [{plain(name)}]")
    return {}


def _only(orgs: Mapping[str, Any]) -> str | None:
    return next(iter(orgs)) if len(orgs) == 1 else None


def _orgs(sources: Sources, tables: Mapping[str, Any], default_org: str) -> dict[str, OrgSettings]:
    """Every org of the file, and the one that the environment alone describes."""
    names = list(tables)
    if default_org not in tables and any(sources.environment.get(PREFIX + key.upper()) for key in OrgKeys.model_fields):
        names.append(default_org)
    # Known even where no org is configured: a misspelt REPRISE_ACCESS_TOKEN must find its neighbour.
    sources.variables.update(PREFIX + key.upper() for key in OrgKeys.model_fields)
    orgs = {}
    for name in names:
        prefix = f"orgs.{plain(name)}."
        variables = _org_variables(name, is_default=name == default_org)
        keys = sources.section(prefix, OrgKeys, _table(sources, tables, name), variables)
        if keys is None:
            continue
        org, problems = org_settings(name, keys)
        sources.problems += [f"{prefix[:-1]}{problem}" for problem in problems]
        if org is not None:
            orgs[name] = org
    return orgs


def _variables(section: str) -> Callable[[str], tuple[str, ...]]:
    """The environment's names for the fields of a section; the switch that lets us write has a short one too."""
    short = {"resume_allow_writes": (f"{PREFIX}ALLOW_WRITES",)}
    return lambda name: (f"{PREFIX}{section.upper()}{name.upper()}", *short.get(section + name, ()))


def _org_variables(org: str, *, is_default: bool) -> Callable[[str], tuple[str, ...]]:
    qualified = f"{PREFIX}ORGS_{re.sub(r'[^A-Z0-9]', '_', org.upper())}_"
    prefixes = (PREFIX, qualified) if is_default else (qualified,)
    return lambda name: tuple(f"{prefix}{name.upper()}" for prefix in prefixes)


def _misspelt_variables(sources: Sources) -> list[str]:
    """REPRISE_ variables that nobody reads and that look like one somebody would.

    Others pass in silence: Kubernetes, for one, gives every container REPRISE_PORT if a service is called reprise.
    """
    known = {name.removeprefix(PREFIX) for name in (*sources.variables, f"{PREFIX}CONFIG")}
    given = [name.removeprefix(PREFIX) for name in sources.environment if name.startswith(PREFIX)]
    close = {name: get_close_matches(name, known, n=1, cutoff=0.75) for name in given if name not in known}
    return [
        f"{PREFIX}{plain(name)} is not a setting; did you mean {PREFIX}{near[0]}?"
        for name, near in close.items()
        if near
    ]
