# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

# What all tests with processes share is in tests/system/harness.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
