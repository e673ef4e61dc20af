"""Takes the version from Cargo.toml, and pins the program to it: plugin and program are released together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class FromCargo(MetadataHookInterface):
    """Fills in what pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add version and dependencies.

        Raises:
            ValueError: if Cargo.toml has no version.

        """
        found = re.search(r'^version = "([^"]+)"', (Path(self.root) / "../../Cargo.toml").read_text(), re.MULTILINE)
        if found is None:
            raise ValueError("Cargo.toml has no version")
        metadata["version"] = found[1]
        metadata["dependencies"] = ["certbot>=2.1", f"ipv64-acme=={found[1]}"]
