"""The virtual environment for the compared programs and the plots, created when first needed."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from bench import CHECKOUT
from bench.context import say
from bench.services import BenchError, run

_REQUIREMENTS = CHECKOUT / "bench" / "requirements.txt"
_DIRECTORY = CHECKOUT / ".venv-bench"


def python() -> Path:
    """The Python with the packages of ``bench/requirements.txt``. Raises BenchError if they cannot be installed."""
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    stamp = _DIRECTORY / ".stamp"
    found = _DIRECTORY / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return found
    say("Installing what is compared and what draws into .venv-bench; this takes a minute, once ...")
    shutil.rmtree(_DIRECTORY, ignore_errors=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    try:
        run([sys.executable, "-m", "venv", str(_DIRECTORY)], cwd=CHECKOUT)
        run([str(found), *install, "-r", str(_REQUIREMENTS)], cwd=CHECKOUT)
    except BenchError as error:
        raise BenchError(f"The packages of bench/requirements.txt cannot be installed. {error}") from error
    stamp.write_text(wanted)
    return found


def draw(picture: Path, plot: dict[str, Any]) -> None:
    """Draw ``plot``, as ``bench/draw.py`` describes it. Raises BenchError if it cannot be drawn."""
    picture.parent.mkdir(parents=True, exist_ok=True)
    run([str(python()), str(CHECKOUT / "bench" / "draw.py"), str(picture)], cwd=CHECKOUT, answer=json.dumps(plot))
