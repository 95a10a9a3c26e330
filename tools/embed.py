#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a file's bytes as a C array: embed.py NAME INPUT OUTPUT.c OUTPUT.h"""
import sys

name, source, out_c, out_h = sys.argv[1:]
with open(source, "rb") as f:
    data = f.read()
rows = [", ".join(str(b) for b in data[i:i + 20]) for i in range(0, len(data), 20)]
with open(out_c, "w", encoding="ascii") as f:
    f.write(f'#include "{name}.h"\n\nconst unsigned char {name}[] = {{\n    ')
    f.write(",\n    ".join(rows))
    f.write(f"\n}};\nconst unsigned long {name}_length = sizeof({name});\n")
with open(out_h, "w", encoding="ascii") as f:
    f.write(f"extern const unsigned char {name}[];\nextern const unsigned long {name}_length;\n")
