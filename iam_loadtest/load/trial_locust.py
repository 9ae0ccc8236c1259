"""Locust's command line for a trial, without the files that it reads of its own accord.

    python -m iam_loadtest.load.trial_locust --locustfile FILE --master ...

~/.locust.conf, ./locust.conf and ./pyproject.toml hold a person's own settings; any of them would change a trial.
"""

from __future__ import annotations

from typing import Any

from locust import argument_parser, main


class _Parser(argument_parser.LocustArgumentParser):
    """Locust's parser, told of no files."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "default_config_files": []})


def run() -> None:
    """Be Locust, for this process."""
    parsers: Any = argument_parser
    locust: Any = main
    parsers.LocustArgumentParser = _Parser
    locust.main()


if __name__ == "__main__":
    run()
