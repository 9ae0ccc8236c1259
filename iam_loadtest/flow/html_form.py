"""Forms in HTML pages, as far as a scripted login needs them. What is read is bounded, whatever a server sends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from typing import Final, NamedTuple

MAX_FORM_CHARACTERS: Final = 1 << 16
MAX_FORMS: Final = 20
MAX_INPUTS: Final = 200
_FORM = re.compile(r"<form\b", re.IGNORECASE)
_END = re.compile(r"</form", re.IGNORECASE)
_TYPED = frozenset({"text", "email", "tel", ""})


class Input(NamedTuple):
    """An input or button of a form: type in lower case, and whether it is checked."""

    type: str
    name: str
    value: str
    is_checked: bool = False


class Form(NamedTuple):
    """A form as it stands in a page; ``action`` may be relative. Values may be secret and are not in the repr."""

    id: str
    action: str
    method: str
    inputs: tuple[Input, ...]

    def __repr__(self) -> str:
        return f"Form(id={self.id!r})"

    @property
    def password_field(self) -> str | None:
        """The name of the first password input; None where there is none."""
        return next((one.name for one in self.inputs if one.type == "password" and one.name), None)

    @property
    def username_field(self) -> str | None:
        """The name of the last input that is typed before the password, which is the user's name."""
        typed = None
        for one in self.inputs:
            if one.type == "password":
                return typed
            if one.type in _TYPED and one.name:
                typed = one.name
        return None

    def kept(self) -> list[tuple[str, str]]:
        """What a browser would send without anybody typing: hidden inputs and checked boxes."""
        return [
            (one.name, one.value)
            for one in self.inputs
            if one.name and (one.type == "hidden" or (one.type in {"checkbox", "radio"} and one.is_checked))
        ]


def forms_of(body: bytes) -> Iterator[Form]:
    """The forms of a page in their order; only the forms themselves are parsed."""
    text = body.decode("utf-8", "replace")
    position = 0
    for _ in range(MAX_FORMS):
        start = _FORM.search(text, position)
        if start is None:
            return
        end = _END.search(text, start.end())
        position = end.start() if end else len(text)
        parser = _FormParser()
        with suppress(AssertionError):  # html.parser's word for markup that it cannot read: the form ends there
            parser.feed(text[start.start() : min(position, start.start() + MAX_FORM_CHARACTERS)])
        if parser.form is not None:
            yield parser.form


class _FormParser(HTMLParser):
    """Reads one form."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the form itself, its inputs and its buttons."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.form is None:
            method = given.get("method", "").strip().upper() or "GET"
            self.form = Form(given.get("id", ""), given.get("action", "").strip(), method, ())
        elif tag in {"input", "button"} and self.form is not None and len(self.form.inputs) < MAX_INPUTS:
            kind = given.get("type", "submit" if tag == "button" else "text").strip().lower()
            one = Input(kind, given.get("name", ""), given.get("value", ""), "checked" in given)
            self.form = self.form._replace(inputs=(*self.form.inputs, one))
