"""Finds the program ``ipv64-acme``, which this package installs as a script; it has no other purpose."""

from __future__ import annotations

import sysconfig
from pathlib import Path

__all__ = ["find_ipv64_acme_bin"]


def find_ipv64_acme_bin() -> str:
    """Return the path of the program that was installed with this package, wherever pip has put both.

    Raises:
        FileNotFoundError: if it is in none of these places, which the message lists.

    """
    packages = Path(__file__).absolute().parent.parent
    folders = [packages / "bin"]  # pip install --target
    library = packages.parent.parent
    if library.name.startswith("lib"):  # PREFIX/lib/python3.x/site-packages: venv, pipx, pip install --user or --prefix
        folders.append(library.parent / "bin")
    folders.append(Path(sysconfig.get_path("scripts")))
    places = [folder / "ipv64-acme" for folder in folders]
    for place in places:
        if place.is_file():
            return str(place)
    raise FileNotFoundError(f"no program in {', '.join(map(str, places))}")
