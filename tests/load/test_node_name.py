"""What a response header may make of a node's name."""

import pytest

from iam_loadtest.load.node_name import node_name
from iam_loadtest.load.response_reader import ResponseReader


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("frontend-1", "frontend-1"),
        ("db 2/eu", "db 2/eu"),
        ("=HYPERLINK(1)", "HYPERLINK(1)"),
        ("@+-=cmd", "cmd"),
        ("a\x9b31mb\x85", "a 31mb "),
        ("x" * 1000, "x" * 64),
        ("", ""),
    ],
)
def test_a_node_s_name_is_short_printable_and_no_formula(header: str, name: str) -> None:
    """It stands in CSV files, charts, the report, and on terminals."""
    assert node_name(header) == name


def test_the_reader_of_answers_takes_names_like_that() -> None:
    reader = ResponseReader("X-Backend")
    reader.feed(b"HTTP/1.1 200 OK\r\nX-Backend: =1+\x9b31m2\r\nContent-Length: 0\r\n\r\n")
    assert reader.backend == "1+ 31m2"
