"""Puts the program that hooks/wheels names into a wheel for the platform that it was built for. Nothing is compiled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# What each of Rust's CPUs is called by pip, and its number in an ELF header (`e_machine`).
CPUS = {"x86_64": ("x86_64", 62), "aarch64": ("aarch64", 183), "armv7": ("armv7l", 40)}
# A static program runs wherever the kernel does. These are the oldest systems that today's pip asks for by name.
STATIC = "manylinux_2_17_{0}.manylinux2014_{0}.musllinux_1_2_{0}"
# Another one runs where it was built. No index takes such a wheel.
DYNAMIC = "linux_{0}"


class PlatformWheel(BuildHookInterface[Any]):
    """Tells hatchling of the program and of the wheel's platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Read the program and its target from the environment.

        Raises:
            ValueError: if there are no wheels for the target, or if the program is for another CPU.

        """
        del version
        program, target = Path(os.environ["IPV64_ACME_PROGRAM"]), os.environ["IPV64_ACME_TARGET"]
        cpu = target.partition("-")[0]
        if cpu not in CPUS or "-linux-" not in target:
            raise ValueError(f"no wheels for {target}: Linux on {', '.join(CPUS)}")
        name, machine = CPUS[cpu]
        with program.open("rb") as file:
            header = file.read(4096)
        if header[:4] != b"\x7fELF" or number(header, 18, 2) != machine:
            raise ValueError(f"the program is not for {cpu}")
        if "musl" in target and has_interpreter(header):
            raise ValueError(f"the program is not static, so it is not for {target}")
        platform = (STATIC if "musl" in target else DYNAMIC).format(name)
        build_data["tag"] = f"py3-none-{platform}"
        build_data["pure_python"] = False
        build_data["shared_scripts"] = {str(program): "ipv64-acme"}


def number(header: bytes, place: int, size: int) -> int:
    """Return a number of an ELF header."""
    return int.from_bytes(header[place : place + size], "little")


def has_interpreter(header: bytes) -> bool:
    """Return whether one of the ELF program headers is PT_INTERP (3): a dynamic loader has to start the program."""
    is_64_bit = header[4] == 2  # noqa: PLR2004 - ELFCLASS64
    first = number(header, 32, 8) if is_64_bit else number(header, 28, 4)
    size, count = (number(header, place, 2) for place in ((54, 56) if is_64_bit else (42, 44)))
    return any(number(header, first + size * index, 4) == 3 for index in range(count))  # noqa: PLR2004
