"""The authenticator: certbot's challenges in, one call of ``ipv64-acme batch`` out.

Everything that concerns IPv64 or DNS is the program's business, its settings included.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
import subprocess
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Literal

from certbot import errors, util
from certbot.display import util as display_util
from certbot.plugins import dns_common

if TYPE_CHECKING:
    from collections.abc import Iterable

    from acme import challenges
    from certbot import achallenges

logger = logging.getLogger(__name__)

PROGRAM = "ipv64-acme"

# The variable of the time limit of the program's wait; the limit if it is not set, and the longest, in seconds.
TIMEOUT = "IPV64_PROPAGATION_TIMEOUT"
DEFAULT_TIMEOUT = 180
LONGEST_TIMEOUT = 1800


class Authenticator(dns_common.DNSAuthenticator):
    """Solves dns-01 challenges with TXT records at IPv64.net."""

    description = "Obtain certificates for domains at IPv64.net using a DNS TXT record."

    _api_key: str | None = None
    _failed = False

    @classmethod
    def add_parser_arguments(
        cls,
        add: Callable[..., None],
        default_propagation_seconds: int | None = None,
    ) -> None:
        """Define the options; what is not given is left to the settings of ipv64-acme itself."""
        add(
            "propagation-seconds",
            default=default_propagation_seconds,
            type=int,
            help="Give up after so many seconds if a name server does not serve the records by then. The wait ends as "
            f"soon as all of them do, usually within seconds. {DEFAULT_TIMEOUT} or less changes nothing: the limit "
            f"of ipv64-acme applies, which is {DEFAULT_TIMEOUT} unless {TIMEOUT} says otherwise.",
        )
        add(
            "credentials",
            help="INI file that contains the API key as dns_ipv64_api_key. Without it the key comes from the settings "
            "of ipv64-acme, for example IPV64_API_KEY_FILE.",
        )

    def more_info(self) -> str:
        """Describe the plugin in a sentence."""
        return "This plugin adds TXT records at IPv64.net and waits until every name server serves them."

    def auth_hint(self, failed_achalls: list[achallenges.AnnotatedChallenge]) -> str:
        """Say what a failure after a completed wait can mean."""
        del failed_achalls
        return (
            "Every name server of IPv64 served the records when the Certificate Authority was asked. If it did not "
            f"find them, `{PROGRAM} doctor` looks for the reason, among others CAA records and DNSSEC."
        )

    def perform(self, achalls: list[achallenges.AnnotatedChallenge]) -> list[challenges.ChallengeResponse]:
        """Add the records of all challenges and wait for them together.

        Raises:
            errors.PluginError: with the program's message; certbot then does not ask the CA.

        """
        self._setup_credentials()
        # From here on certbot is to call the clean-up, also after a failure: some of the records may be there.
        self._attempt_cleanup = True
        self._failed = True
        for line in self._batch("present", achalls).splitlines():
            display_util.notify(line)
        self._failed = False
        return [achall.response(achall.account_key) for achall in achalls]

    def cleanup(self, achalls: list[achallenges.AnnotatedChallenge]) -> None:
        """Remove the records of all challenges; a failure is told and costs nothing, the program keeps it in mind."""
        if not self._attempt_cleanup:
            return
        try:
            self._batch("cleanup", achalls)
        except errors.PluginError as error:
            # After an addition that failed this is mostly the same reason again, and certbot prints it before the error
            # that counts: the log is enough.
            level = logging.INFO if self._failed else logging.WARNING
            logger.log(level, "The challenge records could not be removed: %s", error)

    def _setup_credentials(self) -> None:
        path = self.conf("credentials")
        if path is None:
            return
        credentials = dns_common.CredentialsConfiguration(path, self.dest)
        # A machine that asks a broker has no key. Forms always give a file, and renewals name that of the first order.
        if not any(credentials.confobj.values()):
            return
        credentials.require({"api-key": "API key of the account at IPv64.net"})
        self._api_key = credentials.conf("api-key")

    def _batch(
        self,
        verb: Literal["present", "cleanup"],
        achalls: Iterable[achallenges.AnnotatedChallenge],
    ) -> str:
        """Call the program with the records of all challenges, and return what it said."""
        program = find_program()
        done = run([program, "batch", verb], self._environment(), json.dumps([record(achall) for achall in achalls]))
        said = self._translate(done.stderr.strip())
        if done.returncode != 0:
            message = said or f"{PROGRAM} ended with code {done.returncode} and said nothing"
            raise errors.PluginError(message.removeprefix("error: ") + version_note(program, self._environment()))
        if said:
            logger.warning("%s", said)
        return done.stdout

    def _translate(self, said: str) -> str:
        """Put certbot's options in place of the variables that this class has set, and that nobody else knows of."""
        if self._api_key is not None:
            place = f"dns_ipv64_api_key in {self.conf('credentials')}"
            said = re.sub(r"\b(the variable )?IPV64_API_KEY\b", lambda _: place, said)
        if not os.environ.get(TIMEOUT):
            said = said.replace(TIMEOUT, f"--{self.name}-propagation-seconds")
        return said

    def _environment(self) -> dict[str, str]:
        # Under snap, certbot's own libraries are none for other programs.
        environment = dict(util.env_no_snap_for_external_calls())
        if self._api_key is not None:
            environment["IPV64_API_KEY"] = self._api_key
        seconds = self.conf("propagation-seconds")
        # To other plugins this is a pause, so people and forms enter 10 or 30. As a limit that would fail good orders.
        if seconds is not None and seconds > DEFAULT_TIMEOUT:
            environment[TIMEOUT] = str(min(seconds, LONGEST_TIMEOUT))
        return environment

    def _perform(self, domain: str, validation_name: str, validation: str) -> None:
        """Never called: ``perform`` works on all challenges at once."""
        raise NotImplementedError

    def _cleanup(self, domain: str, validation_name: str, validation: str) -> None:
        """Never called: ``cleanup`` works on all challenges at once."""
        raise NotImplementedError


def record(achall: achallenges.AnnotatedChallenge) -> dict[str, str]:
    """Return the record of one challenge as the program takes it."""
    # `identifier` since certbot 5.3, which warns of `domain`.
    identifier = getattr(achall, "identifier", None)
    domain = achall.domain if identifier is None else identifier.value
    return {"name": achall.validation_domain_name(domain), "value": achall.validation(achall.account_key)}


def find_program() -> str:
    """Return the program of the package ipv64-acme, else one beside this Python, else that of the system.

    pipx puts no programs of an injected package into PATH, and what is in PATH may be of another version.

    Raises:
        errors.PluginError: if there is none.

    """
    try:
        # The package is not there where the program came from elsewhere, for example from a .deb.
        from ipv64_acme import find_ipv64_acme_bin  # noqa: PLC0415

        return find_ipv64_acme_bin()
    except (ImportError, FileNotFoundError) as error:
        logger.debug("The Python package %s brings no program: %s", PROGRAM, error)
    beside = Path(sysconfig.get_path("scripts")) / PROGRAM
    if beside.is_file():
        return str(beside)
    # A timer's PATH may lack /usr/local/bin.
    found = shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/local/bin:/usr/bin")
    if found is None:
        raise errors.PluginError(
            f"the program {PROGRAM} is not there\n"
            f"hint: `pip install {PROGRAM}` in certbot's environment brings it for Linux on x86_64, aarch64, armv7l; "
            "elsewhere put it into /usr/local/bin"
        )
    return found


def run(command: list[str], environment: dict[str, str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program with this text on its stdin.

    Raises:
        errors.PluginError: if it cannot be run at all, for example on a file system that is mounted `noexec`.

    """
    try:
        # The program itself limits how long it takes.
        return subprocess.run(  # noqa: S603 - the program is our own, and no shell reads its arguments
            command, input=text, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        hint = {
            errno.EACCES: "it has to be executable, on a file system that is not mounted noexec",
            errno.ENOEXEC: "it is for another CPU, or broken",
        }.get(error.errno or 0, "install it again")
        raise errors.PluginError(f"cannot run {command[0]}: {error.strerror}\nhint: {hint}") from error


def version_note(program: str, environment: dict[str, str]) -> str:
    """Return a line that names both versions if the program is not of this plugin's, else nothing."""
    found = re.search(r"\d+(\.\d+)+", run([program, "--version"], environment).stdout)
    try:
        ours = re.search(r"\d+(\.\d+)+", metadata.version("certbot-dns-ipv64"))
    except metadata.PackageNotFoundError:
        return ""
    if found is None or ours is None or found[0] == ours[0]:
        return ""
    return f"\nnote: {program} is version {found[0]}, this plugin {ours[0]}: install the same version of both"
