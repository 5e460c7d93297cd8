"""What a form's body says: fields by name, from `application/x-www-form-urlencoded` and `multipart/form-data`. Pure.

Takes any bytes and never raises: what can't be understood has no fields. Files are passed over. The body's size is
limited before it comes here; the number of fields is limited here.
"""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote_plus

MOST_FIELDS = 200
LONGEST_VALUE = 10_000

_PARAMETER = re.compile(r';\s*([a-zA-Z0-9*_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
_BOUNDARY = re.compile(r"[0-9a-zA-Z'()+_,\-./:=? ]{0,69}[0-9a-zA-Z'()+_,\-./:=?]")


class Form:
    """Fields by name: the first value of each, '' for a name that isn't there; `all_of` gives every one."""

    def __init__(self, pairs: Sequence[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value[:LONGEST_VALUE])

    def __getitem__(self, name: str) -> str:
        return self._values.get(name, [""])[0]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def all_of(self, name: str) -> list[str]:
        """Return every value of a field."""
        return list(self._values.get(name, ()))


def parse_form(content_type: str, body: bytes) -> Form:
    """Return the fields of a body of that type; none for any other type."""
    kind, parameters = _parse_content_type(content_type)
    if kind == "application/x-www-form-urlencoded":
        return Form(list(_parse_urlencoded(body)))
    boundary = parameters.get("boundary", "")
    if kind == "multipart/form-data" and _BOUNDARY.fullmatch(boundary):
        return Form(list(_parse_multipart(body, boundary.encode("ascii"))))
    return Form()


def _parse_urlencoded(body: bytes) -> Iterator[tuple[str, str]]:
    for pair in body.split(b"&", MOST_FIELDS)[:MOST_FIELDS]:
        name, _, value = pair.partition(b"=")
        if name:
            yield _decode(name), _decode(value)


def _parse_multipart(body: bytes, boundary: bytes) -> Iterator[tuple[str, str]]:
    """Yield the fields of the parts (RFC 7578); bare line feeds are forgiven, for some senders write no other."""
    if b"\r\n" not in body:
        body = body.replace(b"\n", b"\r\n")
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary, MOST_FIELDS + 1)
    for part in parts[1 : MOST_FIELDS + 1]:
        if part.startswith(b"--"):
            return
        # What stands before the first line end is padding; a part without headers has no name.
        head, found, value = part.partition(b"\r\n\r\n")
        name = _find_name(head.decode("utf-8", "replace")) if found else None
        if name is not None:
            yield name, value.decode("utf-8", "replace")


def _find_name(head: str) -> str | None:
    for line in head.split("\r\n"):
        header, _, value = line.partition(":")
        if header.strip().lower() == "content-disposition":
            kind, parameters = _parse_content_type(value)
            return parameters.get("name") if kind == "form-data" and "filename" not in parameters else None
    return None


def _parse_content_type(header: str) -> tuple[str, dict[str, str]]:
    kind = header.partition(";")[0].strip().lower()
    parameters: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(header[:2000]):
        parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else bare)
    return kind, parameters


def _decode(text: bytes) -> str:
    return unquote_plus(text.decode("utf-8", "replace"), errors="replace")
