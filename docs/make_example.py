"""Make reports/example from a run: what a report needs, without logs, and the report.

``python docs/make_example.py RUN`` replaces reports/example.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.report import write_report
from iam_loadtest.results.run import RUN_FILE, SCENARIO_FILE, TRIALS_DIRECTORY, read_run, trial_directories
from iam_loadtest.results.trial import GENERATOR_FILE, SAMPLES_FILE, TRIAL_FILE

EXAMPLE = Path(__file__).parents[1] / "reports" / "example"
OF_A_RUN = (RUN_FILE, SCENARIO_FILE)
OF_A_TRIAL = (TRIAL_FILE, SAMPLES_FILE, GENERATOR_FILE)


def make_example(run: Path, example: Path) -> None:
    """Copy the run's data, which name neither the machine nor its directories, and write the report beside them."""
    read_run(run)  # before anything is removed
    shutil.rmtree(example, ignore_errors=True)
    _copy(run, example, OF_A_RUN)
    for trial in trial_directories(run):
        _copy(trial, example / TRIALS_DIRECTORY / trial.name, OF_A_TRIAL)
    write_report(example)


def _copy(source: Path, target: Path, names: tuple[str, ...]) -> None:
    target.mkdir(parents=True)
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name the run: make example RUN=reports/...")
    try:
        make_example(Path(sys.argv[1]), EXAMPLE)
    except UserError as error:
        sys.exit(str(error))
