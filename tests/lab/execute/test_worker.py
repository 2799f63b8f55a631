"""A worker process makes its work without the packages that it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = """
import sys
from cnn_models import light_keras
from lab.execute import recorded
from lab.execute.job import Job
from lab.learn.surroundings import surroundings
surroundings()
work = recorded.make_work(Job(sys.argv[1], None)).work
print(type(work).__name__, *(name for name in light_keras.EXTRAS if sys.modules.get(name)))
import matplotlib, pandas, sklearn.metrics
"""


def imported_with(work):
    done = subprocess.run([sys.executable, "-c", CODE, work], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow
def test_keras_starts_without_the_packages_that_no_worker_uses():
    assert imported_with("lab.learn.training.TrainingWork") == ["TrainingWork"]


def test_a_work_that_imports_such_a_package_gets_it():
    assert imported_with("experiments.filters.measure.FiltersWork")[:2] == ["FiltersWork", "sklearn"]


def test_a_work_that_needs_a_missing_package_names_it(tmp_path, monkeypatch):
    from lab.execute import recorded
    from lab.execute.job import Job

    (tmp_path / "needy.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        recorded.make_work(Job("needy.Work", None))
