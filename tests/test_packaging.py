"""The package as installed: layers, public names, import cost, no private paths."""

from __future__ import annotations

import ast
import pathlib
import re
import subprocess
import sys

import functorch_like as ft

ROOT = pathlib.Path(__file__).parent.parent


def test_public_names_have_docstrings_with_examples() -> None:
    for name in ft.__all__:
        value = getattr(ft, name)
        assert value.__doc__, name
        if callable(value) and name not in ("ShapedArray",):
            assert "Examples" in value.__doc__ and ">>>" in value.__doc__, name


def test_heavy_packages_load_when_needed() -> None:
    names = ("numba", "cupy", "jax", "torch", "scipy.special")
    code = f"import sys, functorch_like; print(*(m in sys.modules for m in {names}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False"] * 5


def test_primitives_and_kernels_are_reached_through_the_package() -> None:
    code = "import sys, functorch_like; print({'primitives', 'kernels'} & set(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert out.stdout.strip() == "set()"


def test_layers() -> None:
    """kernels <- primitives <- functorch_like; import-linter holds the finer order."""
    for folder, allowed in (("kernels", ()), ("primitives", ("kernels",))):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.level == 2:
                    inside = path.parent.name != folder  # kernels/cpu, kernels/gpu
                    top = (node.module or "").split(".")[0]
                    assert inside or top in allowed, f"{path}: from ..{node.module}"
                assert not (
                    isinstance(node, ast.ImportFrom)
                    and (node.module or "").startswith("functorch_like")
                ), path


def test_readme_code_runs(tmp_path: pathlib.Path) -> None:
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) == 4
    namespace: dict = {}
    for number, block in enumerate(blocks):
        path = tmp_path / f"block_{number}.py"  # in a file, where script finds its source
        path.write_text(block)
        exec(compile(block, str(path), "exec"), namespace)


def test_scipy_is_loaded_on_first_use() -> None:
    assert ft.scipy.special.logsumexp([0.0, 0.0]) > 0.69
