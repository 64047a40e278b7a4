"""The base installation is the client: it imports without anything that only a node needs."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from tests.support.thorough import thorough

ROOT = Path(__file__).parents[3]
SERVER_ONLY = [
    *("alembic", "authlib", "catalogue", "connectors", "duckdb", "fastapi", "pandas", "policies"),
    *("pydantic", "scipy", "sqlalchemy", "sqlglot", "starlette", "structlog", "typer", "uvicorn", "yaml"),
]

BLOCKED = f"""
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {SERVER_ONLY!r}:
            raise ImportError(name)

sys.meta_path.insert(0, Block())
import federation.client
print(sorted(set({SERVER_ONLY!r}) & set(sys.modules)))
"""


def test_the_client_imports_without_the_server() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@thorough
def test_a_clean_environment_needs_only_the_base_dependencies(tmp_path: Path) -> None:
    """The wheel's own dependencies, as pip resolves them in an environment with nothing else in it."""
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT)]
    subprocess.run(install, check=True, capture_output=True, timeout=250)
    script = (
        "import importlib.util as u, federation.client as c;"
        f"print([n for n in {['duckdb', 'sqlglot', 'fastapi', 'pydantic']!r} if u.find_spec(n)], c.connect)"
    )
    done = subprocess.run([str(python), "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[] <function connect")
