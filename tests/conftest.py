"""Shared fixtures and the two tiers of property tests.

``make test`` draws a fixed sample; ``make test-deep`` (``KMS_LAB_DEEP=1``) runs the same laws at full counts.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile(
    "sample", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("deep" if os.environ.get("KMS_LAB_DEEP") else "sample")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that runs; installs one where there is none, and never skips."""
    script = ROOT / "tests" / "browser" / "ensure_chromium.py"
    done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()
