"""The host's own file: defaults, overrides, and mistakes that name their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import BadConfiguration
from reconciler.settings import load_settings

LEAST = 'host = "caroline"\n[repository]\nurl = "ssh://git@git.example/fleet.git"\n'


def write(folder: Path, text: str) -> str:
    file = folder / "reconciler.toml"
    file.write_text(text)
    return str(file)


def mistake(folder: Path, text: str, **environment: str) -> BadConfiguration:
    with pytest.raises(BadConfiguration) as caught:
        load_settings(write(folder, text), environment)
    assert caught.value.exit_code == 78
    assert caught.value.next
    return caught.value


def test_a_host_and_a_url_are_enough(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, LEAST), {})
    assert settings.host == "caroline"
    assert (settings.repository.branch, settings.repository.path) == ("main", "manifests")
    assert float(settings.repository.deadline) == 60
    assert (settings.trust.signatures, settings.trust.max_removed_stacks) == ("off", 1)
    assert settings.state.directory == "/var/lib/reconciler"
    assert (float(settings.verify.window), settings.apply.parallel, settings.docker.host) == (5.0, 4, "")
    assert settings.config_directory == str(tmp_path)


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    environment = {
        "RECONCILER_HOST": "altair",
        "RECONCILER_REPOSITORY_URL": "https://git.example/x.git",
        "RECONCILER_REPOSITORY_DEADLINE": "5m",
        "RECONCILER_TRUST_ALLOW_PRIVILEGED": "proxy, media,",
        "RECONCILER_TRUST_MAX_REMOVED_STACKS": "3",
        "RECONCILER_APPLY_PARALLEL": "2",
    }
    settings = load_settings(write(tmp_path, LEAST), environment)
    assert (settings.host, settings.repository.url) == ("altair", "https://git.example/x.git")
    assert float(settings.repository.deadline) == 300.0
    assert settings.trust.allow_privileged == ("proxy", "media")
    assert (settings.trust.max_removed_stacks, settings.apply.parallel) == (3, 2)


def test_a_missing_file_is_no_obstacle_when_the_environment_has_it_all() -> None:
    environment = {"RECONCILER_REPOSITORY_URL": "file:///srv/fleet.git", "RECONCILER_HOST": "box"}
    assert load_settings(None, environment).host == "box"


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_a_missing_file_that_was_named_is_an_error(tmp_path: Path, how: str) -> None:
    missing = str(tmp_path / "no.toml")
    environment = {"RECONCILER_REPOSITORY_URL": "file:///srv/fleet.git", "RECONCILER_HOST": "box"}
    with pytest.raises(BadConfiguration) as caught:
        if how == "argument":
            load_settings(missing, environment)
        else:
            load_settings(None, environment | {"RECONCILER_CONFIG": missing})
    assert caught.value.code == "E-SETTINGS-FILE"


@pytest.mark.parametrize(
    ("text", "code", "line", "says"),
    [
        (LEAST + '[truts]\nsignatures = "off"\n', "E-SETTINGS-KEY", 4, "'trust'"),
        (LEAST + 'brunch = "main"\n', "E-SETTINGS-KEY", 4, "'branch'"),
        (LEAST + "[trust]\nmax_removed_stacks = true\n", "E-SETTINGS-VALUE", 5, "True"),
        (LEAST + '[trust]\nallow_host_mounts = "/opt"\n', "E-SETTINGS-VALUE", 5, "/opt"),
        (LEAST + '[docker]\nhots = "x"\n', "E-SETTINGS-KEY", 5, "'host'"),
        (LEAST + "[docker]\nhost = 3\n", "E-SETTINGS-VALUE", 5, "3"),
        (LEAST + '[verify]\nwindow = "soon"\n', "E-SETTINGS-VALUE", 5, "soon"),
        (LEAST + "[apply]\nparallel = 0\n", "E-SETTINGS-VALUE", 5, "0"),
        (LEAST + '[trust]\nsignatures = "all"\n', "E-SETTINGS-UNSUPPORTED", 5, "not be checked"),
        (LEAST + "[verify\n", "E-SETTINGS-SYNTAX", 4, ""),
        ("repository = 3\n" + 'host = "x"\n', "E-SETTINGS-VALUE", 1, "3"),
        ('host = "x"\n', "E-SETTINGS-MISSING", 0, ""),
    ],
)
def test_a_mistake_names_its_line_and_what_was_meant(
    tmp_path: Path, text: str, code: str, line: int, says: str
) -> None:
    error = mistake(tmp_path, text)
    assert error.code == code
    assert error.at is not None
    assert (error.at.file, error.at.line) == (str(tmp_path / "reconciler.toml"), line)
    assert says in error.why


def test_a_wrong_override_is_an_error_too(tmp_path: Path) -> None:
    assert mistake(tmp_path, LEAST, RECONCILER_APPLY_PARALLEL="many").code == "E-SETTINGS-VALUE"
    assert mistake(tmp_path, LEAST, RECONCILER_TRUST_SIGNATURES="head").code == "E-SETTINGS-UNSUPPORTED"
