# SPDX-License-Identifier: Apache-2.0
"""Where the tests of a cluster find what others have: waiting, and what kustomize makes."""
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "system"), str(TESTS / "deploy")]
