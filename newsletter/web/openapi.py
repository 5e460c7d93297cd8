"""The description of what programs may ask (OpenAPI 3.1). Pure."""

from collections.abc import Mapping
from typing import Any

from newsletter import __version__

_PROBLEM = "application/problem+json"
_MEANINGS = {
    "400": "The body is not JSON.",
    "408": "The body took too long to come in.",
    "413": "The body is too large.",
    "415": "The body is of another type.",
    "422": "Some fields are wrong; `errors` names them.",
    "429": "Too many wishes from one client, or altogether; `Retry-After` says when to come again.",
    "503": "The database can't be written right now.",
}


def compose_openapi(title: str, url: str, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document; `wish` is the schema of what joining takes."""
    definitions = dict(wish.get("$defs", {}))
    plain = _move_definitions({key: value for key, value in wish.items() if key != "$defs"})
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__},
        "servers": [{"url": url}],
        "paths": {"/api/join": {"post": _joining()}, "/api/search": {"get": _searching()}},
        "components": {
            "schemas": {"JoinWish": plain, "Problem": _PROBLEM_SCHEMA, "SearchPage": _FOUND_SCHEMA, **definitions}
        },
    }


def _move_definitions(schema: Any) -> Any:
    """Return a schema whose references lead to where OpenAPI keeps definitions."""
    if isinstance(schema, Mapping):
        return {key: _move_definitions(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_move_definitions(value) for value in schema]
    return schema.replace("#/$defs/", "#/components/schemas/") if isinstance(schema, str) else schema


def _joining() -> dict[str, Any]:
    accepted = {
        "type": "object",
        "required": ["status", "message"],
        "properties": {"status": {"const": "accepted"}, "message": {"type": "string"}},
    }
    return {
        "operationId": "join",
        "summary": "Ask to read. The owner of the address is asked by mail; the answer says nothing about the address.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JoinWish"}}},
        },
        "responses": {
            "202": {"description": "Understood.", "content": {"application/json": {"schema": accepted}}},
            **_problems("400", "408", "413", "415", "422", "429", "503"),
        },
    }


def _searching() -> dict[str, Any]:
    return {
        "operationId": "search",
        "summary": "Find issues and entries.",
        "parameters": [
            _parameter("q", {"type": "string", "minLength": 1, "maxLength": 200}, required=True),
            _parameter("section", {"type": "string", "maxLength": 60}),
            _parameter("year", {"type": "integer", "minimum": 1, "maximum": 9999}),
            _parameter("page", {"type": "integer", "minimum": 1, "maximum": 50}),
        ],
        "responses": {
            "200": {
                "description": "What was found, best first.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/SearchPage"}}},
            },
            **_problems("422", "503"),
        },
    }


def _parameter(name: str, schema: Mapping[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _problems(*codes: str) -> dict[str, Any]:
    content = {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"description": _MEANINGS[code], "content": content} for code in codes}


_TEXT = {"type": "string"}
_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {"field": _TEXT, "code": _TEXT, "message": _TEXT},
            },
        },
    },
}
_FOUND_SCHEMA = {
    "type": "object",
    "required": ["total", "hits"],
    "properties": {
        "total": {"type": "integer", "minimum": 0},
        "hits": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["kind", "title", "url", "issue_url", "date", "authors", "section", "snippet"],
                "properties": {
                    "kind": {"enum": ["issue", "entry"]},
                    "title": _TEXT,
                    "url": {"type": "string", "format": "uri"},
                    "issue_url": {"type": "string", "format": "uri"},
                    "date": {"type": "string", "format": "date"},
                    "authors": {"type": "array", "items": _TEXT},
                    "section": _TEXT,
                    "snippet": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["text", "highlighted"],
                            "properties": {"text": _TEXT, "highlighted": {"type": "boolean"}},
                        },
                    },
                },
            },
        },
    },
}
