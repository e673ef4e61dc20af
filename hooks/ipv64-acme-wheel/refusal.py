"""What pip calls where there is no wheel for the platform: says what to do. Nothing is built or fetched."""

from __future__ import annotations

from typing import NoReturn

MESSAGE = """\
error: there is no wheel of ipv64-acme for this platform, and pip cannot build one
  there are wheels for Linux on x86_64, aarch64 and armv7l: glibc 2.17 or musl 1.2, and newer
hint: an old pip does not see them: python3 -m pip install --upgrade pip
hint: on another platform build the program from its source with Rust, put it into /usr/local/bin, and install the
  certbot plugin without its dependencies: pip install certbot; pip install --no-deps certbot-dns-ipv64"""


def get_requires_for_build_wheel(config_settings: object = None) -> NoReturn:
    """Refuse to build."""
    del config_settings
    raise SystemExit(MESSAGE)


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> NoReturn:
    """Refuse to build."""
    del wheel_directory, config_settings, metadata_directory
    raise SystemExit(MESSAGE)
