# SPDX-License-Identifier: Apache-2.0
"""The services, brokers and clients are those of the system tests."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
