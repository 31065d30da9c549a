"""The operator's page states the code's bounds."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from relay.keys import jwks, signing_secret

SCRIPT = Path(__file__).resolve().parents[1] / "docs" / "bounds.py"


def test_the_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_number_comes_from_the_code_and_a_row_without_one_is_refused() -> None:
    script = runpy.run_path(str(SCRIPT))
    page = script["PAGE"].read_text("utf-8")
    assert script["render"](page.replace("| 3,600 |", "| 1 |")) == page
    with pytest.raises(ValueError, match="routes"):
        script["render"](page.replace("| dispatcher: routes |", "| dispatcher: ways |"))


def test_both_kinds_of_keys_are_loaded_at_the_same_pace() -> None:
    assert jwks.JWKS_PACE.timeout == signing_secret.SECRET_PACE.timeout
