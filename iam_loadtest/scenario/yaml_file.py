"""Read a YAML file as plain data, strictly: no repeated keys, no aliases, no tags, and problems in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from iam_loadtest.errors import ScenarioError

MAX_FILE_BYTES = 1 << 20
_IN_PLAIN_WORDS = {
    "found character '\\t'": "a tab stands here; indent with spaces",
    "mapping values are not allowed": "a colon stands where no key can be; mend the indentation or use quotes",
    "expected <block end>": "the indentation does not fit the lines above; align it",
    "that cannot start any token": "a value cannot begin with this character; put it in quotes",
    "but found another document": "a second document (---) begins here; keep one scenario in a file",
    "found unhashable key": "a list or a mapping stands as a key; a key is a text",
    "found undefined tag": "a tag (!name) stands here; put the value in quotes",
}
_WHERE_IT_BEGAN = {
    "could not find expected ':'": "this is no `key: value`; add the colon, or put the text in quotes",
    "expected ',' or": "this bracket or brace is not closed, or a comma is missing in it",
    "found unexpected end of": "this quote is not closed",
}


def read_document(path: Path) -> object:
    """The plain data of a YAML file; raises ScenarioError where it cannot be read, parsed, or repeats a key."""
    text = _read_text(path)
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506  derived from SafeLoader
    except yaml.YAMLError as error:
        raise ScenarioError([f"{path}: {_problem(error)}."]) from None  # its text may hold a secret
    except RecursionError as error:
        raise ScenarioError([f"{path}: is nested too deeply; a scenario has six levels at most."]) from error
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        raise ScenarioError([f"{path}: holds a number of thousands of digits; put it in quotes."]) from error


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ScenarioError([f"{path}: is larger than {MAX_FILE_BYTES} bytes; a scenario is a short YAML file."])
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ScenarioError([f"{path}: cannot be read: {error.strerror}; name a scenario file."]) from error
    except UnicodeDecodeError as error:
        raise ScenarioError([f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8."]) from None


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses repeated keys, which YAML would silently overwrite, aliases and tags.

    Dates stay the texts that they are in the file.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    problem = f"key {key_node.value!r} stands twice; keep one of them"
                    raise _OwnError(None, None, problem, key_node.start_mark)
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise _OwnError(None, None, "an alias (*name) stands here; write the value out, or put it in quotes", mark)
        return super().compose_node(parent, index)

    def refuse_tag(self, node: yaml.Node) -> None:
        raise _OwnError(None, None, _IN_PLAIN_WORDS["found undefined tag"], node.start_mark)

    def keep_text(self, node: yaml.ScalarNode) -> str:
        return str(self.construct_scalar(node))


_StrictLoader.add_constructor(None, _StrictLoader.refuse_tag)
_StrictLoader.add_constructor("tag:yaml.org,2002:timestamp", _StrictLoader.keep_text)


class _OwnError(yaml.MarkedYAMLError):
    """A problem that is in plain words already."""


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return "is not text: it holds an unprintable character; name a YAML file"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "is not YAML; name a scenario file"
    began = next((words for sign, words in _WHERE_IT_BEGAN.items() if sign in str(error.problem)), None)
    mark = error.context_mark if began and error.context_mark else error.problem_mark
    words = str(error.problem) if isinstance(error, _OwnError) else began or _plain_words(str(error.problem))
    return f"line {mark.line + 1}, column {mark.column + 1}: {words}"


def _plain_words(problem: str) -> str:
    """The parser's problem for people, without what it quotes from the file."""
    for sign, words in _IN_PLAIN_WORDS.items():
        if sign in problem:
            return words
    return "this is not YAML; check quotes, brackets and indentation near here"
