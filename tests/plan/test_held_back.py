"""Held-back libraries are whole for whoever imports them, before the planner or after it.

Each case runs in an interpreter of its own: imports cannot be undone.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

INLINE = "module://matplotlib_inline.backend_inline"
USED = """
figure, ax = plt.subplots()
ax.plot([1, 2], [3, 4])
plt.close(figure)
import matplotlib.pylab
assert matplotlib.pylab.plot is plt.plot
assert matplotlib.pyplot is plt is sys.modules["matplotlib.pyplot"]
import scipy.stats, scipy.spatial, scipy.integrate
assert scipy.stats.norm.cdf(0.0) == 0.5
assert scipy.spatial.KDTree and scipy.integrate.quad
"""


def run(code: str, backend: str = "") -> str:
    """Run code with warnings as errors; its output."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("MPL")}
    env |= {"MPLBACKEND": backend} if backend else {}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", "import sys\n" + code],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ORDERS = {
    "planner first": "import planner, planner.plot\nimport matplotlib.pyplot as plt",
    "pyplot first": "import matplotlib.pyplot as plt\nimport planner, planner.plot",
    "pyplot between": "import planner\nimport matplotlib.pyplot as plt\nimport planner.plot",
    "plot first": "import planner.plot, planner\nimport matplotlib.pyplot as plt",
}


@pytest.mark.parametrize("order", ORDERS)
def test_figures_of_ones_own_work_beside_the_planner(order: str) -> None:
    """With the backend that a notebook sets."""
    assert run(ORDERS[order] + USED + "print(plt.get_backend())", INLINE) == INLINE


def test_under_pytest_pyomo_chooses_a_backend() -> None:
    """It calls `matplotlib.use` within its hook, when pyplot is held back."""
    said = run("import pytest\n" + ORDERS["planner first"] + USED + "print(plt.get_backend())")
    assert said.lower() == "agg"


def test_nothing_of_what_is_held_back_is_loaded() -> None:
    names = ["matplotlib.pyplot", "matplotlib.pylab", "scipy.stats", "scipy.integrate"]
    said = run(f"import planner, planner.plot\nprint([n for n in {names} if n in sys.modules])")
    assert said == "[]"


def test_a_star_import_from_a_placeholder_is_whole() -> None:
    said = run(
        "from planner.held_back import held_back\n"
        "with held_back('json', 'colorsys'):\n"
        "    ns = {}\n"
        "    exec('from colorsys import *', ns)\n"
        "import colorsys, json\n"
        "print(ns['rgb_to_hls'] is colorsys.rgb_to_hls, json.loads('[1]'))"
    )
    assert said == "True [1]"
