"""Has the wheel hold what pages need of GOV.UK Frontend: fetched and checked while it is built."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class AssetsHook(BuildHookInterface[Any]):
    """An installation to develop in fetches them itself (``make``); a wheel without them is not built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # the signature is the library's
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root)))
        from federation.web import assets

        assets.fetch()
