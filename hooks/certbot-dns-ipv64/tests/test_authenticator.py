"""The authenticator with a program that only writes down how it was called."""

from __future__ import annotations

import json
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from certbot import errors

from certbot_dns_ipv64 import Authenticator, authenticator

if TYPE_CHECKING:
    from certbot import achallenges

TWO = ["example.org", "example.org"]


class Stage:
    """A folder with a program, and an authenticator with options."""

    version = "0.1.0"

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the program into PATH and nothing else."""
        self.folder = folder
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        monkeypatch.setattr("ipv64_acme.__file__", str(folder / "site" / "ipv64_acme" / "__init__.py"))
        monkeypatch.setattr("sysconfig.get_path", lambda _: str(folder / "nowhere"))
        self.program("exit 0")

    def program(self, ending: str) -> None:
        """Let the program end in this way."""
        path = self.folder / "ipv64-acme"
        version = f'[ "$1" = --version ] && echo "ipv64-acme {self.version}" && exit'
        write_down = f'echo "$*" >>"{self.folder}/args"; cat >"{self.folder}/$2"; env >"{self.folder}/env"'
        path.write_text(f"#!/bin/sh\n{version}\n{write_down}\n{ending}\n")
        path.chmod(0o755)

    def authenticator(self, credentials: Path | None = None, seconds: int | None = None) -> Authenticator:
        """Return an authenticator with these options."""
        config = mock.MagicMock(
            dns_ipv64_credentials=credentials and str(credentials), dns_ipv64_propagation_seconds=seconds
        )
        return Authenticator(config, "dns-ipv64")

    def batch(self, verb: str) -> list[dict[str, str]]:
        """Return what the program got on stdin."""
        batch: list[dict[str, str]] = json.loads((self.folder / verb).read_text())
        return batch

    def environment(self) -> list[str]:
        """Return the environment of the last call."""
        return (self.folder / "env").read_text().splitlines()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return a stage of its own for each test."""
    return Stage(tmp_path, monkeypatch)


def challenges(domains: list[str]) -> list[achallenges.AnnotatedChallenge]:
    """Return a challenge for each domain, with its place in the list as its value."""
    made = []
    for number, domain in enumerate(domains):
        achall = mock.MagicMock()
        achall.identifier.value = domain
        achall.validation_domain_name.side_effect = "_acme-challenge.{}".format
        achall.validation.return_value = f"-value{number}"
        made.append(achall)
    return made


def test_the_whole_order_goes_through_one_call(stage: Stage) -> None:
    """Apex and wildcard are two records of one name."""
    plugin = stage.authenticator()
    achalls = challenges(TWO)
    assert plugin.perform(achalls) == [achall.response.return_value for achall in achalls]
    plugin.cleanup(achalls)
    assert (stage.folder / "args").read_text().splitlines() == ["batch present", "batch cleanup"]
    expected = [{"name": "_acme-challenge.example.org", "value": f"-value{number}"} for number in range(2)]
    assert stage.batch("present") == stage.batch("cleanup") == expected


def test_a_failure_is_raised_with_the_words_of_the_program(stage: Stage) -> None:
    """An exception out of ``perform`` keeps certbot from asking the CA."""
    stage.program("printf 'error[no_domain]: no domain covers it\\nhint: add it\\n' >&2; exit 7")
    with pytest.raises(errors.PluginError, match=r"^error\[no_domain\]: no domain covers it\nhint: add it$"):
        stage.authenticator().perform(challenges(TWO))


def test_a_failure_without_words_has_the_code(stage: Stage) -> None:
    """The program may have been killed."""
    stage.program("exit 9")
    with pytest.raises(errors.PluginError, match="code 9"):
        stage.authenticator().perform(challenges(TWO))


def test_a_failed_addition_is_cleaned_up(stage: Stage) -> None:
    """Some of the records may be there."""
    stage.program("exit 5")
    plugin = stage.authenticator()
    with pytest.raises(errors.PluginError):
        plugin.perform(challenges(TWO))
    plugin.cleanup(challenges(TWO))
    assert stage.batch("cleanup")


def test_a_failed_removal_is_a_warning(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The certificate is there by then."""
    plugin = stage.authenticator()
    plugin.perform(challenges(TWO))
    stage.program("echo 'error: IPv64 is away' >&2; exit 6")
    plugin.cleanup(challenges(TWO))
    assert "IPv64 is away" in caplog.text


def test_a_failed_addition_is_told_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Certbot prints the warnings before the error that counts."""
    stage.program("echo 'error: IPv64 is away' >&2; exit 6")
    plugin = stage.authenticator()
    with pytest.raises(errors.PluginError, match="IPv64 is away"):
        plugin.perform(challenges(TWO))
    plugin.cleanup(challenges(TWO))
    assert not [entry for entry in caplog.records if entry.levelname != "INFO"]


def test_a_bad_key_is_told_with_the_file_it_is_in(stage: Stage) -> None:
    """The variable by which the program gets it was set by nobody."""
    stage.program("echo 'error: IPV64_API_KEY does not contain an API key; IPV64_API_KEY_FILE' >&2; exit 3")
    credentials = stage.folder / "credentials.ini"
    credentials.write_text("dns_ipv64_api_key = 0123456789\n")
    credentials.chmod(stat.S_IRUSR | stat.S_IWUSR)
    expected = re.escape(f"dns_ipv64_api_key in {credentials} does not contain an API key; IPV64_API_KEY_FILE")
    with pytest.raises(errors.PluginError, match=f"^{expected}$"):
        stage.authenticator(credentials).perform(challenges(TWO))
    with pytest.raises(errors.PluginError, match=r"^IPV64_API_KEY does"):
        stage.authenticator().perform(challenges(TWO))


def test_the_time_limit_is_told_by_its_option(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form has the option, and no variables; who has set the variable reads of that."""
    stage.program("echo 'hint: raise IPV64_PROPAGATION_TIMEOUT (now 180 s)' >&2; exit 5")
    monkeypatch.delenv("IPV64_PROPAGATION_TIMEOUT", raising=False)
    with pytest.raises(errors.PluginError, match=r"raise --dns-ipv64-propagation-seconds \(now 180 s\)"):
        stage.authenticator().perform(challenges(TWO))
    monkeypatch.setenv("IPV64_PROPAGATION_TIMEOUT", "90")
    with pytest.raises(errors.PluginError, match=r"raise IPV64_PROPAGATION_TIMEOUT \("):
        stage.authenticator().perform(challenges(TWO))


def test_nothing_is_cleaned_up_that_was_never_begun(stage: Stage) -> None:
    """Certbot calls the clean-up after every error."""
    stage.authenticator().cleanup(challenges(TWO))
    assert not (stage.folder / "args").exists()


def test_options_reach_the_program_by_environment(stage: Stage) -> None:
    """A key in the arguments could be read by everybody on the machine."""
    credentials = stage.folder / "credentials.ini"
    credentials.write_text("dns_ipv64_api_key = 0123456789\n")
    credentials.chmod(stat.S_IRUSR | stat.S_IWUSR)
    stage.authenticator(credentials, seconds=600).perform(challenges(TWO))
    assert "IPV64_API_KEY=0123456789" in stage.environment()
    assert "IPV64_PROPAGATION_TIMEOUT=600" in stage.environment()
    assert "0123456789" not in (stage.folder / "args").read_text()


def test_without_options_the_settings_of_the_program_hold(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is passed on as it is."""
    monkeypatch.setenv("IPV64_PROPAGATION_TIMEOUT", "77")
    stage.authenticator().perform(challenges(TWO))
    assert "IPV64_PROPAGATION_TIMEOUT=77" in stage.environment()
    assert not any(line.startswith("IPV64_API_KEY=") for line in stage.environment())


@pytest.mark.parametrize("seconds", [-1, 0, 1, 10, 30, 180])
def test_a_short_propagation_time_is_no_limit(stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """To other plugins it is a pause, and forms ask for 10 or 30."""
    stage.authenticator(seconds=seconds).perform(challenges(TWO))
    assert not any(line.startswith("IPV64_PROPAGATION_TIMEOUT=") for line in stage.environment())
    monkeypatch.setenv("IPV64_PROPAGATION_TIMEOUT", "77")
    stage.authenticator(seconds=seconds).perform(challenges(TWO))
    assert "IPV64_PROPAGATION_TIMEOUT=77" in stage.environment()


def test_a_propagation_time_beyond_what_the_program_accepts_is_its_longest(stage: Stage) -> None:
    """A pause of two hours would have worked with another plugin."""
    stage.authenticator(seconds=7200).perform(challenges(TWO))
    assert "IPV64_PROPAGATION_TIMEOUT=1800" in stage.environment()


def test_credentials_without_a_key_are_an_error(stage: Stage) -> None:
    """Nothing is called then."""
    credentials = stage.folder / "credentials.ini"
    credentials.write_text("dns_ipv64_token = x\n")
    with pytest.raises(errors.PluginError, match="dns_ipv64_api_key"):
        stage.authenticator(credentials).perform(challenges(TWO))
    assert not (stage.folder / "args").exists()


@pytest.mark.parametrize("text", ["", "# the broker is set in docker-compose.yml\n", "dns_ipv64_api_key =\n"])
def test_credentials_without_anything_leave_it_to_the_settings_of_the_program(stage: Stage, text: str) -> None:
    """Forms give a file in any case, and renewals name the one of the first order: a broker needs no key in it."""
    credentials = stage.folder / "credentials.ini"
    credentials.write_text(text)
    stage.authenticator(credentials).perform(challenges(TWO))
    assert not [line for line in stage.environment() if line.startswith("IPV64_API_KEY=")]


def test_a_missing_program_is_met_with_the_way_to_get_it(stage: Stage) -> None:
    """A package without the program is possible on rare platforms."""
    (stage.folder / "ipv64-acme").unlink()
    with pytest.raises(errors.PluginError, match="pip install"):
        stage.authenticator().perform(challenges(TWO))


def place(path: Path) -> Path:
    """Make a program at this path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("site", "program"),
    [
        ("venv/lib/python3.14/site-packages", "venv/bin"),
        ("usr/lib/python3/dist-packages", "usr/bin"),
        ("flat", "flat/bin"),
    ],
)
def test_the_program_of_the_package_comes_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, site: str, program: str
) -> None:
    """Package and program belong together, and pipx does not put an injected package's programs into PATH."""
    monkeypatch.setattr("ipv64_acme.__file__", str(stage.folder / site / "ipv64_acme" / "__init__.py"))
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(stage.folder / "scripts"))
    place(stage.folder / "scripts" / "ipv64-acme")
    expected = place(stage.folder / program / "ipv64-acme")
    assert Path(authenticator.find_program()) == expected


def test_without_the_package_the_program_beside_python_is_taken(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been put there by hand."""
    monkeypatch.setitem(sys.modules, "ipv64_acme", None)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(stage.folder / "scripts"))
    expected = place(stage.folder / "scripts" / "ipv64-acme")
    assert Path(authenticator.find_program()) == expected
    expected.unlink()
    assert Path(authenticator.find_program()) == stage.folder / "ipv64-acme"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [(b"#!/bin/sh\n", 0o644, "not mounted noexec"), (b"\x7fELF of another CPU", 0o755, "for another CPU")],
)
def test_a_program_that_cannot_be_run_is_an_error_in_words(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, content: bytes, mode: int, words: str
) -> None:
    """An environment on a file system that is mounted noexec, or copied from another machine."""
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(stage.folder / "scripts"))
    program = place(stage.folder / "scripts" / "ipv64-acme")
    program.write_bytes(content)
    program.chmod(mode)
    with pytest.raises(errors.PluginError, match=rf"cannot run {program}: .*\nhint: .*{words}"):
        stage.authenticator().perform(challenges(TWO))


def test_a_failure_names_a_program_of_another_version(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program may be that of a .deb, and the plugin from pip."""
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0.1.0")
    stage.program("echo 'error: no' >&2; exit 2")
    with pytest.raises(errors.PluginError, match=r"^no$"):
        stage.authenticator().perform(challenges(TWO))
    stage.version = "0.0.9"
    stage.program("echo 'error: no' >&2; exit 2")
    expected = rf"^no\nnote: {stage.folder}/ipv64-acme is version 0.0.9, this plugin 0.1.0: install the same version"
    with pytest.raises(errors.PluginError, match=expected):
        stage.authenticator().perform(challenges(TWO))


def test_older_versions_of_certbot_have_no_identifier() -> None:
    """Debian 12 has certbot 2.1."""
    achall = mock.MagicMock(spec=["domain", "validation_domain_name", "validation", "account_key"])
    achall.domain = "example.org"
    achall.validation_domain_name.side_effect = "_acme-challenge.{}".format
    assert authenticator.record(achall)["name"] == "_acme-challenge.example.org"
