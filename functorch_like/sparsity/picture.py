"""Pictures of a plan: a line, characters, a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["draw", "summary", "text"]

SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
WIDEST = 120  # characters
CELLS = 400  # along a side of the finest picture, each two dots; larger ones are drawn in blocks


def summary(plan: Plan) -> str:
    """What the plan is, in one line."""
    m, n = plan.shape
    share = plan.nnz / max(m * n, 1)
    c = plan.coloring
    count = f"{c.n_colors} colour{'' if c.n_colors == 1 else 's'}"
    if c.kind == "bidirectional":
        count += f" ({c.n_columns} of columns, {c.n_rows} of rows)"
    made = plan._task.name.partition("_")[2]
    return (
        f"<{made} {m:,} x {n:,}: {plan.nnz:,} entries ({share:.3g} of all), {c.kind} colouring, "
        f"{c.order} order: {count}>"
    )


def product_of_entries(plan: Plan) -> np.ndarray:
    """The product that gives each entry, row by row; those of rows come after those of columns."""
    c, pattern = plan.coloring, plan._pattern
    m, n = pattern.shape
    rows = np.repeat(np.arange(m), np.diff(pattern.indptr))
    if c.kind == "row":
        assert c.rows is not None
        return c.rows[rows]
    assert c.columns is not None
    of_columns = c.columns[pattern.indices]
    if c.kind == "bidirectional":
        assert c.rows is not None and c.own is not None
        return np.where(c.own, of_columns, c.n_columns + c.rows[rows])
    if c.kind == "acyclic":
        return of_columns
    from .recovery import places

    return places(pattern, c) // max(n, 1)


def text(plan: Plan) -> str:
    """The pattern in characters."""
    m, n = plan.shape
    if max(m, n) > WIDEST:
        return f"{summary(plan)} (too large for a picture in characters; see show)"
    picture = np.full((m, n), "·")
    rows = np.repeat(np.arange(m), np.diff(plan._pattern.indptr))
    symbols = np.array(list(SYMBOLS))
    numbers = product_of_entries(plan)
    picture[rows, plan._pattern.indices] = symbols[np.minimum(numbers, len(SYMBOLS) - 1)]
    return "\n".join("".join(line) for line in picture)


def draw(plan: Plan, path: Any = None) -> Any:
    """The pattern as a figure."""
    import matplotlib.figure
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

    m, n = plan.shape
    block = max(1, -(-max(m, n) // CELLS))
    image = np.full((max(-(-m // block), 1), max(-(-n // block), 1)), np.nan)
    rows = np.repeat(np.arange(m), np.diff(plan._pattern.indptr))
    image[rows // block, plan._pattern.indices // block] = product_of_entries(plan)
    count = max(plan.n_colors, 1)
    figure = matplotlib.figure.Figure(figsize=(6.4, 6.6), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(
        image,
        cmap=ListedColormap(_palette(count)),
        vmin=-0.5,
        vmax=count - 0.5,
        interpolation="nearest",
        extent=(-0.5, max(n, 1) - 0.5, max(m, 1) - 0.5, -0.5),
        aspect="equal" if 0.2 < m / max(n, 1) < 5 else "auto",
    )
    if max(m, n) <= 40:  # lines between elements
        axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(m + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="0.9", linewidth=0.5)
        axes.tick_params(which="minor", length=0)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    made = plan._task.name.partition("_")[2].capitalize()
    shown = f", in blocks of {block} x {block}" if block > 1 else ""
    axes.set_title(
        f"{made} {m:,} x {n:,}: {plan.nnz:,} entries{shown}\n{plan.kind} colouring: an entry has "
        f"the colour of\nthe product that gives it, one of {plan.n_colors}"
    )
    axes.set_xlabel("column")
    axes.set_ylabel("row")
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _palette(count: int) -> list[Any]:
    """Colours that differ: a named set for few, the hues in steps of the golden angle for more."""
    import matplotlib
    from matplotlib.colors import hsv_to_rgb

    if count <= 10:
        return [matplotlib.colormaps["tab10"](k) for k in range(count)]
    k = np.arange(count)
    hue = (k * 0.6180339887) % 1.0
    value = 0.55 + 0.4 * ((k // 2) % 2)
    return list(hsv_to_rgb(np.stack([hue, np.full(count, 0.75), value], axis=-1)))
