"""Contestants checked against one another, timed in turn, and shown as ratios with targets."""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

import numpy as np

OURS = "ours"
FUNCTION = "ours, function"  # the function whose gradient "ours" is
FLOOR = "floor"  # written by hand
ROUNDS, SAMPLES = 7, 5
CHECKED = 3  # calls: the later ones may take another path, and training goes on
GRADIENT_OVER_FUNCTION = 4.0

Call = Callable[[], Any]


@dataclasses.dataclass
class Row:
    """One comparison.

    ``contestants`` maps a name to a maker: a function without arguments that compiles or imports
    whatever it needs and returns the call to time. A target's key is the beginning of peers'
    names: ``"JAX"`` is the best of all contestants called JAX something.
    """

    name: str
    contestants: dict[str, Callable[[], Call]]
    targets: dict[str, float]
    function: Callable[[], Call] | None = None
    rtol: float = 1e-8
    gradient: bool = True  # whether gradient over function has its target


@dataclasses.dataclass
class Record:
    """What came of a row: seconds a call, and what failed."""

    name: str
    times: dict[str, float]
    targets: dict[str, float] = dataclasses.field(default_factory=dict)
    failures: dict[str, str] = dataclasses.field(default_factory=dict)
    gradient: bool = True
    limit: float | None = None  # of our time, in seconds

    def ratio(self, peer: str) -> float | None:
        """Our time to that of the best contestant whose name begins with ``peer``."""
        others = [t for k, t in self.times.items() if k.startswith(peer) and k not in _NO_PEER]
        if OURS not in self.times or not others:
            return None
        return self.times[OURS] / min(others)

    def best(self) -> str | None:
        """Name of the fastest peer; the floor is none."""
        peers = [k for k in self.times if k not in _NO_PEER and not k.startswith(FLOOR)]
        return min(peers, key=self.times.__getitem__, default=None)

    def gradient_over_function(self) -> float | None:
        """Our gradient's time to that of our function."""
        if not {OURS, FUNCTION} <= self.times.keys():
            return None
        return self.times[OURS] / self.times[FUNCTION]

    def verdicts(self) -> list[dict[str, Any]]:
        """Each target with the figure it is compared with; None where that was not measured."""
        found = [(peer, at_most, self.ratio(peer)) for peer, at_most in self.targets.items()]
        if FUNCTION in self.times or FUNCTION in self.failures:
            limit = GRADIENT_OVER_FUNCTION if self.gradient else None
            found.append(("our function", limit, self.gradient_over_function()))
        if self.limit is not None:
            found.append(("a second", self.limit, self.times.get(OURS)))
        return [
            {
                "peer": peer,
                "at_most": at_most,
                "ratio": value,
                "met": None if value is None or at_most is None else value <= at_most,
            }
            for peer, at_most, value in found
        ]

    def summary(self) -> dict[str, Any]:
        """The record for a JSON file, and what follows from it."""
        best = self.best()
        return dataclasses.asdict(self) | {
            "best_peer": best,
            "ratio_to_best_peer": self.ratio(best) if best else None,
            "ratio_to_floor": self.ratio(FLOOR),
            "gradient_over_function": self.gradient_over_function(),
            "verdicts": self.verdicts(),
        }


_NO_PEER = (OURS, FUNCTION)


def run(row: Row) -> Record:
    """Make the contestants, compare their results, time those that agree."""
    calls: dict[str, Call] = {}
    failures: dict[str, str] = {}
    reference: tuple[str, list[np.ndarray]] | None = None
    for name, make in row.contestants.items():
        try:
            calls[name] = make()
            result = [a for _ in range(CHECKED) for a in arrays(calls[name]())]
            if reference is None:
                reference = name, result
            else:
                compare(result, reference[1], row.rtol, reference[0])
        except Exception as error:
            failures[name] = describe(error)
            calls.pop(name, None)
    if row.function is not None:
        try:
            calls[FUNCTION] = row.function()
            calls[FUNCTION]()
        except Exception as error:
            failures[FUNCTION] = describe(error)
            calls.pop(FUNCTION, None)
    return Record(row.name, measure(calls), row.targets, failures, row.gradient)


def arrays(result: Any) -> list[np.ndarray]:
    """Copies of the arrays in nested containers, dictionaries in the order of their keys."""
    if isinstance(result, dict):
        return [a for key in sorted(result) for a in arrays(result[key])]
    if isinstance(result, (tuple, list)):
        return [a for item in result for a in arrays(item)]
    return [np.array(result.detach() if hasattr(result, "detach") else result)]


def compare(result: list[np.ndarray], expected: list[np.ndarray], rtol: float, name: str) -> None:
    """Raise if arrays differ by more than ``rtol`` of the largest element."""
    if [a.shape for a in result] != [a.shape for a in expected]:
        shapes = [a.shape for a in result], [a.shape for a in expected]
        raise ValueError(f"shapes {shapes[0]} are not those of {name}, {shapes[1]}")
    for a, b in zip(result, expected, strict=True):
        error = np.max(np.abs(a - b), initial=0.0) / max(np.max(np.abs(b), initial=0.0), 1e-300)
        if not error <= rtol:
            raise ValueError(f"differs from {name} by {error:.1e} of the largest element")


def describe(error: Exception) -> str:
    """An exception on one line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:160]}"


def measure(calls: dict[str, Call], seconds: float = 0.15, budget: float = 3.0) -> dict[str, float]:
    """Seconds a call: the least of the rounds' medians, the contestants in turn in each round.

    Between contestants is a pause, in which the thread pools of the last one go to sleep, and a
    call that is not timed unless calls are slow. Slow contestants have at least two rounds, and no
    more than fit in ``budget`` seconds.
    """
    counts, samples = {}, {}
    for name, call in calls.items():
        once = min(_timed(call, 1) for _ in range(2))
        counts[name] = max(1, int(seconds / SAMPLES / once))
        samples[name] = max(1, min(SAMPLES, int(seconds / once)))
    best = dict.fromkeys(calls, float("inf"))
    spent = dict.fromkeys(calls, 0.0)
    for turn in range(ROUNDS):
        for name, call in calls.items():
            if turn >= 2 and spent[name] > budget:
                continue
            time.sleep(0.02)
            if counts[name] > 1:
                call()
            times = [_timed(call, counts[name]) for _ in range(samples[name])]
            best[name] = min(best[name], statistics.median(times))
            spent[name] += sum(times) * counts[name]
    return best


def _timed(call: Call, count: int) -> float:
    start = time.perf_counter()
    for _ in repeat(None, count):
        call()
    return (time.perf_counter() - start) / count


HEADER = (
    "| row | times | to the best peer | to the floor | targets | gradient / function |\n"
    "|---|---|---|---|---|---|"
)


def show(record: Record) -> None:
    """Print one line of the table, and one for each contestant that failed."""
    best = record.best()
    ratio = record.ratio(best) if best else None
    times = ", ".join(f"{name} {pretty(t)}" for name, t in record.times.items())
    verdicts = [v for v in record.verdicts() if v["at_most"] is not None]
    targets = "; ".join(
        f"{number(v['ratio'])} of {v['peer']}, at most {v['at_most']:g}: "
        + {True: "met", False: "NOT met", None: "not measured"}[v["met"]]
        for v in verdicts
    )
    cells = [
        record.name,
        times,
        f"{number(ratio)} of {best}" if best else "-",
        number(record.ratio(FLOOR)),
        targets or "-",
        number(record.gradient_over_function()),
    ]
    print("| " + " | ".join(cells) + " |", flush=True)
    for name, failure in record.failures.items():
        print(f"| {record.name}: {name} failed | {failure} | | | | |", flush=True)


def number(x: float | None) -> str:
    """Three digits, or a dash."""
    return "-" if x is None else f"{x:.3g}"


def pretty(seconds: float) -> str:
    """A time with its unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def save(records: Iterable[Record], path: str, machine: dict[str, Any]) -> None:
    """Write the records to a JSON file."""
    with open(path, "w") as file:
        json.dump({"machine": machine, "rows": [r.summary() for r in records]}, file, indent=1)


def load(path: str) -> list[Record]:
    """Read records from a JSON file; none if the file is empty."""
    with open(path) as file:
        text = file.read()
    fields = [f.name for f in dataclasses.fields(Record)]
    rows = json.loads(text)["rows"] if text else []
    return [Record(**{name: row[name] for name in fields}) for row in rows]


def plot(records: Iterable[Record], path: str) -> None:
    """Horizontal bars of our time to the peers', the targets marked."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = {"JAX": "tab:blue", "torch": "tab:orange", FLOOR: "tab:green", "autograd": "tab:red"}
    bars = [
        (f"{record.name} / {v['peer']}", v["ratio"], v["at_most"], v["peer"])
        for record in records
        for v in record.verdicts()
        if v["ratio"] is not None and v["at_most"] is not None and v["peer"] in record.targets
    ]
    if not bars:
        return
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.24 * len(bars)), layout="constrained")
    axes.axvline(1.0, color="gray", lw=0.8)
    for i, (_, ratio, at_most, peer) in enumerate(bars):
        colour = next((c for k, c in colours.items() if peer.startswith(k)), "tab:gray")
        axes.barh(i, ratio, color=colour, height=0.7)
        axes.plot([at_most, at_most], [i - 0.4, i + 0.4], color="black", lw=2)
    for name, colour in colours.items():
        axes.barh(0, 0, color=colour, label=name)
    axes.plot([], [], color="black", lw=2, label="target: at most")
    axes.set_xscale("log")
    axes.set_yticks(range(len(bars)), [label for label, *_ in bars], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("our time / theirs")
    axes.margins(y=0.01)
    figure.legend(loc="outside upper center", ncols=5, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)
