"""Write the project's own code lists from a directory of published reference data.

    python -m examples.reference.build_codelists --reference DIR --out examples/labour_market/codelists

The census lists go to ``--census-out``. Running it again on the same reference data changes nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from examples.reference import census, classifications, own
from examples.reference.codelist import CodeListFile

REPOSITORY = Path(__file__).resolve().parents[2]


def reference_directory() -> Path:
    """Where the reference data is: FEDERATION_REFERENCE_DATA, else beside the repository."""
    return Path(os.environ.get("FEDERATION_REFERENCE_DATA", REPOSITORY.parent / "shared" / "data"))


def labour_market(reference: Path) -> list[CodeListFile]:
    return [build(reference) for build in classifications.BUILDERS] + [build() for build in own.BUILDERS]


def teaching_file(reference: Path) -> list[CodeListFile]:
    return list(census.lists(reference))


def texts(codelists: Iterable[CodeListFile]) -> dict[str, str]:
    """Text by file name, for all the lists together."""
    return {name: text for codelist in codelists for name, text in codelist.files().items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the project's own code lists from reference data.")
    parser.add_argument("--reference", type=Path, default=reference_directory())
    parser.add_argument("--out", type=Path, default=REPOSITORY / "examples/labour_market/codelists")
    parser.add_argument("--census-out", type=Path, default=REPOSITORY / "examples/census/codelists")
    options = parser.parse_args(arguments)
    if not (options.reference / "codes").is_dir():
        parser.error(f"no reference data (a folder named codes) in {options.reference}")
    for folder, codelists in (
        (options.out, labour_market(options.reference)),
        (options.census_out, teaching_file(options.reference)),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts(codelists).items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{len(codelists)} code lists in {folder}")


if __name__ == "__main__":
    main()
