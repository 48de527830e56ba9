"""Where settings come from, and what is said when they are wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connector.errors import ConfigError
from connector.settings import AccessTokenLogin, ClientCredentialsLogin, JwtLogin
from tui.settings import Settings, load

TOKEN = {"REPRISE_INSTANCE_URL": "https://example.my.salesforce.com", "REPRISE_ACCESS_TOKEN": "00D!secret"}


def read(folder: Path, toml: str = "", /, **environment: str) -> Settings:
    """Load settings as a command started in `folder` would."""
    if toml:
        (folder / "reprise.toml").write_text(toml, "utf-8")
    return load(environment=environment, folder=folder)


def problems(folder: Path, toml: str = "", /, **environment: str) -> str:
    """What the refusal of wrong settings says."""
    with pytest.raises(ConfigError) as refused:
        read(folder, toml, **environment)
    return refused.value.what


def test_one_org_needs_no_file(tmp_path: Path) -> None:
    """Two variables and Reprise knows where to go and who it is."""
    org = read(tmp_path, **TOKEN).org()
    assert org.instance_url == "https://example.my.salesforce.com"
    assert isinstance(org.login, AccessTokenLogin)
    assert org.login.access_token.get_secret_value() == "00D!secret"


def test_each_way_to_sign_in_is_recognised_by_its_keys(tmp_path: Path) -> None:
    """A client with a secret, or a client with a user and a key."""
    url = {"REPRISE_INSTANCE_URL": TOKEN["REPRISE_INSTANCE_URL"], "REPRISE_CLIENT_ID": "3MVG"}
    secret = read(tmp_path, **url, REPRISE_CLIENT_SECRET="s").org().login
    assert isinstance(secret, ClientCredentialsLogin)
    jwt = read(tmp_path, **url, REPRISE_USERNAME="a@b.c", REPRISE_JWT_KEY_FILE="/etc/key.pem").org().login
    assert isinstance(jwt, JwtLogin)
    assert jwt.key_file == Path("/etc/key.pem")


def test_the_environment_beats_the_file_and_both_beat_the_default(tmp_path: Path) -> None:
    """One order of precedence, and every value can name its origin."""
    settings = read(tmp_path, '[sync]\npoll_floor = "2m"\npoll_ceiling = "30m"', REPRISE_SYNC_POLL_FLOOR="90s")
    assert settings.sync.poll_floor == timedelta(seconds=90)
    assert settings.sync.poll_ceiling == timedelta(minutes=30)
    origins = {each.key: each.origin for each in settings.shown}
    assert origins["sync.poll_floor"] == "REPRISE_SYNC_POLL_FLOOR"
    assert origins["sync.poll_ceiling"] == str(tmp_path / "reprise.toml")
    assert origins["sync.lookback"] == "default"


ORGS = """
org = "prod"
[orgs.prod]
instance_url = "https://prod.my.salesforce.com"
client_id = "3MVG.prod"
[orgs.uat]
instance_url = "https://uat.my.salesforce.com"
client_id = "3MVG.uat"
"""


def test_several_orgs_stand_in_the_file_and_their_secrets_elsewhere(tmp_path: Path) -> None:
    """--org picks one; the qualified variable carries its secret."""
    secrets = {"REPRISE_ORGS_PROD_CLIENT_SECRET": "p", "REPRISE_ORGS_UAT_CLIENT_SECRET": "u"}
    settings = read(tmp_path, ORGS, **secrets)
    assert settings.org().name == "prod"
    assert settings.org("uat").instance_url == "https://uat.my.salesforce.com"
    with pytest.raises(ConfigError, match="did you mean 'uat'"):
        settings.org("uta")


def test_unqualified_variables_speak_of_the_default_org_only(tmp_path: Path) -> None:
    """What some shell exported for production must not redirect an --org typed on purpose."""
    settings = read(tmp_path, ORGS, **TOKEN, REPRISE_ORGS_UAT_CLIENT_SECRET="u")
    assert settings.org("prod").instance_url == TOKEN["REPRISE_INSTANCE_URL"]
    assert settings.org("uat").instance_url == "https://uat.my.salesforce.com"


def test_a_secret_comes_from_a_file_of_its_own(tmp_path: Path) -> None:
    """Named by the environment or by reprise.toml, relative to that."""
    (tmp_path / "secret").write_text("from a file\n", "utf-8")
    settings = read(
        tmp_path,
        '[orgs.prod]\ninstance_url = "https://prod.my.salesforce.com"\nclient_id = "x"\nclient_secret_file = "secret"',
    )
    login = settings.org().login
    assert isinstance(login, ClientCredentialsLogin)
    assert login.client_secret.get_secret_value() == "from a file"
    environment = {**TOKEN, "REPRISE_ACCESS_TOKEN": "", "REPRISE_ACCESS_TOKEN_FILE": str(tmp_path / "secret")}
    (tmp_path / "elsewhere").mkdir()
    other = read(tmp_path / "elsewhere", **environment).org().login
    assert isinstance(other, AccessTokenLogin)
    assert other.access_token.get_secret_value() == "from a file"


def test_all_problems_are_told_at_once_with_file_key_and_nearest_key(tmp_path: Path) -> None:
    """Somebody who made three mistakes corrects them in one go."""
    said = problems(
        tmp_path,
        '[sync]\npol_floor = "2m"\napi_share = 3\npoll_ceiling = "soon"\n[mointor]\nmask = true',
        REPRISE_MONITOR_MASK="perhaps",
    )
    assert "4 settings" not in said
    assert "5 settings are wrong" in said
    assert f"sync.pol_floor ({tmp_path / 'reprise.toml'}): unknown setting; did you mean 'poll_floor'?" in said
    assert "sync.api_share" in said
    assert "sync.poll_ceiling" in said
    assert "'soon' is not a length of time" in said
    assert "[mointor]" in said
    assert "did you mean 'monitor'?" in said
    assert "monitor.mask (REPRISE_MONITOR_MASK)" in said


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[sync\n", "not valid TOML"),
        ("sync = 3", "write it as a table"),
        ('[sync]\npoll_floor = "0s"', "should be greater than 0 seconds"),
        ('[sync]\npoll_floor = "20m"', "sync: poll_floor (0:20:00) is longer than poll_ceiling (0:15:00)"),
        ('[resume]\nfirst_look_after = "0s"', "should be greater than 0 seconds"),
        ("[resume]\npatience = -1", "should be greater than or equal to 0 seconds"),
        ('[orgs.prod]\nclient_id = "x"', "orgs.prod.instance_url: field required"),
        ('[orgs.prod]\ninstance_url = "https://x.my.salesforce.com"', "no complete way to sign in"),
        ('[orgs.prod]\ninstance_url = "x.my.salesforce.com"\nusername = "u"', "is not a URL"),
        ('[orgs.prod]\ninstance_url = "http://x.my.salesforce.com"\nusername = "u"', "write https"),
        ('[orgs.prod]\nclient_secret = "hush"', "a secret does not belong into the file"),
        ('[orgs.prod]\nclient_secret_file = "nowhere"', "cannot read"),
        ('database = "postgresql://me:hush@db/reprise"', "it holds a password"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path: Path, toml: str, said: str) -> None:
    """Each mistake has its sentence, and no sentence repeats a secret."""
    what = problems(tmp_path, toml)
    assert said in what
    assert "hush" not in what


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TIMEOUT", "0s", "should be greater than 0 seconds"),
        ("API_VERSION", "latest", "write it as 67.0"),
        ("API_VERSION", "v67.0", "write it as 67.0"),
        ("API_VERSION", "12.0", "the oldest that has all of orchestrations is 54.0"),
    ],
)
def test_what_no_request_could_use_is_refused_by_its_variable(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    """Before anything is sent, and by the name that was typed."""
    what = problems(tmp_path, **{**TOKEN, f"REPRISE_{variable}": value})
    assert f"orgs.default.{variable.lower()} (REPRISE_{variable}): " in what
    assert said in what


def test_plain_http_is_for_this_machine_only(tmp_path: Path) -> None:
    """A token must not travel readable over a network; to a simulated org on the same machine it may."""
    assert read(tmp_path, **{**TOKEN, "REPRISE_INSTANCE_URL": "http://127.0.0.1:8080/"}).org().instance_url == (
        "http://127.0.0.1:8080"
    )
    assert "write https" in problems(tmp_path, **{**TOKEN, "REPRISE_INSTANCE_URL": "http://127.0.0.1.example.com"})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("hooks.example.com/hush", "not a URL"),
        ("ftp://hooks.example.com/hush", "not a URL"),
        ("https:///hush", "not a URL"),
        ("https://hooks.example.com:hush", "not a URL"),
        ("https://[hush", "not a URL"),
        ("http://hooks.example.com/hush", "write https"),
    ],
)
def test_an_address_that_no_alert_could_reach_is_refused(tmp_path: Path, url: str, said: str) -> None:
    """When the settings are read, not when the first deadline nears; and the address, often a secret, stays hidden."""
    what = problems(tmp_path, **TOKEN, REPRISE_ALERTS_WEBHOOK_URL=url)
    assert "alerts.webhook_url (REPRISE_ALERTS_WEBHOOK_URL): " in what
    assert said in what
    assert "hush" not in what


@pytest.mark.parametrize("url", ["https://hooks.example.com/hush", "http://127.0.0.1:8080/hush", "http://[::1]/hush"])
def test_an_address_for_alerts_is_taken_as_it_is(tmp_path: Path, url: str) -> None:
    """Any https address, and plain http on this machine."""
    address = read(tmp_path, **TOKEN, REPRISE_ALERTS_WEBHOOK_URL=url).alerts.webhook_url
    assert address is not None
    assert address.get_secret_value() == url


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    """Neither a token nor a database password."""
    settings = read(tmp_path, **TOKEN, REPRISE_DATABASE="postgresql://me:hush@db/reprise")
    values = {each.key: each.value for each in settings.shown}
    assert values["orgs.default.access_token"] == "(set, not shown)"
    assert values["database"] == "postgresql://me:***@db/reprise"
    assert "00D!secret" not in repr(settings)


def test_a_misspelt_variable_is_warned_of_and_a_foreign_one_is_not(tmp_path: Path) -> None:
    """Kubernetes invents REPRISE_PORT for a service called reprise; REPRISE_ACCES_TOKEN is somebody's slip."""
    settings = read(tmp_path, REPRISE_ACCES_TOKEN="x", REPRISE_PORT="tcp://10.0.0.1:80")
    assert settings.warnings == ("REPRISE_ACCES_TOKEN is not a setting; did you mean REPRISE_ACCESS_TOKEN?",)


def test_without_any_org_the_way_out_is_named(tmp_path: Path) -> None:
    """The first error everybody meets says what to set, and how to try without."""
    with pytest.raises(ConfigError, match="No Salesforce org is configured") as refused:
        read(tmp_path).org()
    assert "REPRISE_INSTANCE_URL" in refused.value.next_step
    assert "reprise demo" in refused.value.next_step


def test_the_named_file_wins_and_must_exist(tmp_path: Path) -> None:
    """--config means that file and no other."""
    (tmp_path / "reprise.toml").write_text('[sync]\nlookback = "1m"', "utf-8")
    named = tmp_path / "other.toml"
    named.write_text('[sync]\nlookback = "2m"', "utf-8")
    assert load(named, {}, tmp_path).sync.lookback == timedelta(minutes=2)
    assert load(None, {"REPRISE_CONFIG": str(named)}, tmp_path).sync.lookback == timedelta(minutes=2)
    with pytest.raises(ConfigError, match="no configuration file"):
        load(tmp_path / "missing.toml", {}, tmp_path)
