"""Time from the call of ``jit`` to the first result, in fresh processes.

Cold: the cache folder is empty. Warm: a second process with the same folder. New batch: another
size of input later in the cold process. Imports and inputs are ready before the clock starts.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import data
import numpy as np
from harness import OURS, Record

PROCESSES = 3
FOLDERS = {OURS: "FUNCTORCH_LIKE_CACHE_DIR", "JAX": "JAX_COMPILATION_CACHE_DIR"}
SETTINGS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# name in the modules of programs, what is differentiated, inputs of the first and the new size
PROGRAMS: dict[str, tuple[tuple[int, ...], Any, Any]] = {
    "twenty": ((0,), lambda: (np.linspace(0.1, 1, 10),), lambda: (np.linspace(0.1, 1, 11),)),
    "mixture": (
        (0, 1, 2),
        lambda: data.mixture(1000, 10, 25),
        lambda: data.mixture(1100, 10, 25),
    ),
    "transformer": ((0,), lambda: data.transformer(16), lambda: data.transformer(8)),
}


def records() -> Iterator[Record]:
    """Compile times of three gradients, ours and JAX's."""
    for program in PROGRAMS:
        found: dict[str, dict[str, list[float]]] = {"cold": {}, "warm": {}, "new batch": {}}
        failures = {}
        for _ in range(PROCESSES):
            for library in FOLDERS:
                try:
                    with tempfile.TemporaryDirectory() as folder:
                        cold, again = in_process(library, program, folder)
                        warm, _ = in_process(library, program, folder)
                except RuntimeError as error:
                    failures[library] = str(error)
                    continue
                for case, value in (("cold", cold), ("warm", warm), ("new batch", again)):
                    found[case].setdefault(library, []).append(value)
        targets = {"cold": {"JAX": 3.0}, "warm": {"JAX": 1.0}, "new batch": {}}
        for case, times in found.items():
            yield Record(
                f"compile {program}, {case}",
                {k: statistics.median(values) for k, values in times.items()},
                targets[case],
                failures,
                limit=0.05 if case == "new batch" else None,
            )


def in_process(library: str, program: str, folder: str) -> list[float]:
    """Seconds to the first result and to that of the new size, in a new process."""
    run = subprocess.run(
        [sys.executable, __file__, library, program],
        env=os.environ | SETTINGS | {FOLDERS[library]: folder},
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise RuntimeError((run.stderr.strip().splitlines() or ["no message"])[-1][:160])
    return json.loads(run.stdout.splitlines()[-1])


def child(library: str, program: str) -> list[float]:
    """What ``in_process`` runs in the new process."""
    argnums, *inputs = PROGRAMS[program]
    if library == OURS:
        import programs as source

        import functorch_like as module

        arguments = [make() for make in inputs]
    else:
        import jax as module
        import peers_jax as source

        arguments = [module.tree.map(module.numpy.asarray, make()) for make in inputs]
        module.block_until_ready(arguments)
    loss = getattr(source, program)
    argnum = argnums if len(argnums) > 1 else argnums[0]
    start = time.perf_counter()
    gradient = module.jit(module.grad(loss, argnums=argnum))
    times = []
    for args in arguments:
        result = gradient(*args)
        if library != OURS:
            module.block_until_ready(result)
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
    return times


if __name__ == "__main__":
    print(json.dumps(child(*sys.argv[1:])))
