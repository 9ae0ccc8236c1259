"""``python -m iam_loadtest``: the same as the ``iam-loadtest`` command."""

from iam_loadtest.cli import main

if __name__ == "__main__":
    main()
