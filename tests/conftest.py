"""Shared set-up: Hypothesis's profile, and the folder of helpers on the path."""

import pathlib
import sys

import hypothesis

sys.path.insert(0, str(pathlib.Path(__file__).parent))

hypothesis.settings.register_profile(
    "suite", deadline=None, max_examples=40, derandomize=True, print_blob=True
)
hypothesis.settings.load_profile("suite")
