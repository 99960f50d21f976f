"""Writes files with the names and sizes of CIFAR-10's whose classes are ten plain colours: a network learns them in
seconds. Usage: fake_cifar.py FOLDER"""

import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
colours = [(r, g, b) for r in (40, 128, 220) for g in (40, 128, 220) for b in (60, 200)][:10]
one = b"".join(bytes([k]) + b"".join(bytes([c]) * 1024 for c in colours[k]) for k in range(10))
for name in ["test_batch", *(f"data_batch_{i}" for i in range(1, 6))]:
    (folder / f"{name}.bin").write_bytes(one * 1000)
