"""The API in OpenAPI 3.1, from the tables that check what callers send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jphtr import __version__
from jphtr.formats import FORMATS
from jphtr.serve.options import CLASSIFY, EXPORT, READ, Option
from jphtr.serve.reading import JSON, ZIP

Schema = dict[str, Any]

_REFUSALS = {
    400: "An option that there is not, or a body that cannot be taken apart.",
    403: "A host name that is not this server's, or a page of another site.",
    408: "The upload came too slowly.",
    413: "More bytes, pixels, pages or time than this server takes on.",
    415: "A body of another kind.",
    422: "A file that cannot be read, or a reading that is not one.",
    503: "All workers work and the queue is full; Retry-After says when to try again.",
}
_BINARY: Schema = {"type": "string", "format": "binary"}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_CANDIDATE: Schema = {
    "type": "object",
    "required": ["char", "confidence"],
    "properties": {"char": {"type": "string"}, "confidence": _SHARE},
}


def description(saves: bool) -> Schema:
    """The document; `saves` says whether `/save` is there."""
    refusals = {str(status): _answer(about, "Error") for status, about in _REFUSALS.items()}
    written = {format.media_type: {"schema": _BINARY} for format in FORMATS.values()}
    written |= {JSON: {"schema": _ref("Reading")}, ZIP: {"schema": _BINARY}}
    paths = {
        "/read": _post("Read a picture or a PDF", READ, _upload(), {"200": _content(written)} | refusals),
        "/classify": _post("Classify a picture of one character", CLASSIFY, _upload(),
                           {"200": _answer("The candidates, best first.", "Classification")} | refusals),
        "/export": _post("Write a reading, corrected perhaps, in any format", EXPORT, _corrected(["reading"]),
                         {"200": _content(written)} | refusals),
        "/health": _get("Whether the server answers", "Health"),
        "/version": _get("What this server is and takes", "Version"),
    }  # fmt: skip
    if saves:
        paths["/save"] = _post("Keep corrected lines on the server, for training", {}, _corrected(["file", "reading"]),
                               {"200": _answer("How many.", "Saved")} | refusals)  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jphtr",
            "version": __version__,
            "description": (
                "Reads Japanese handwriting and print. Every refusal is a line of JSON under `error`. "
                "Options may come as fields of a form instead of in the query."
            ),
        },
        "paths": paths,
        "components": {"schemas": _SCHEMAS},
    }


def _post(summary: str, options: Mapping[str, Option], body: Schema, responses: Schema) -> Schema:
    parameters = [
        {"name": name, "in": "query", "required": False, "description": option.about, "schema": option.schema()}
        for name, option in options.items()
    ]
    return {"post": {"summary": summary, "parameters": parameters, "requestBody": body, "responses": responses}}


def _get(summary: str, schema: str) -> Schema:
    return {
        "get": {
            "summary": summary,
            "responses": {"200": _answer(summary, schema), "403": _answer(_REFUSALS[403], "Error")},
        }
    }


def _upload() -> Schema:
    form = {"type": "object", "required": ["file"], "properties": {"file": _BINARY}, "additionalProperties": False}
    content: Schema = {
        media: {"schema": _BINARY} for media in ("application/octet-stream", "image/*", "application/pdf")
    }
    return {"required": True, "content": content | {"multipart/form-data": {"schema": form}}}


def _corrected(required: list[str]) -> Schema:
    reading = {"type": "string", "contentMediaType": "application/json", "description": "What /read answers as json."}
    form = {"type": "object", "required": required, "properties": {"file": _BINARY, "reading": reading},
            "additionalProperties": False}  # fmt: skip
    return {"required": True, "content": {"multipart/form-data": {"schema": form}}}


def _answer(about: str, schema: str) -> Schema:
    return _content({"application/json": {"schema": _ref(schema)}}, about)


def _content(content: Schema, about: str = "The reading.") -> Schema:
    return {"description": about, "content": content}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Schema) -> Schema:
    """An object that always has all of these properties."""
    return {"type": "object", "required": list(properties), "properties": properties}


def _array(items: Schema, length: int | None = None) -> Schema:
    return {"type": "array", "items": items} | ({"minItems": length, "maxItems": length} if length else {})


_STRING: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_CHAR = _object(
    char=_STRING, confidence=_SHARE, bbox=_array(_NUMBER, 4), alternatives=_array(_ref("Candidate"))
)  # fmt: skip
_LINE = _object(
    text=_STRING, confidence=_SHARE, direction={"enum": ["horizontal", "vertical"]}, kind={"enum": ["text", "ruby"]},
    block=_WHOLE, quad=_array(_array(_NUMBER, 2), 4), bbox=_array(_NUMBER, 4), region_confidence=_SHARE,
    chars=_array(_ref("Char")),
)  # fmt: skip
_PAGE = _object(
    path=_STRING, page=_WHOLE, width=_WHOLE, height=_WHOLE, dpi={"type": ["number", "null"]}, text=_STRING,
    lines=_array(_ref("Line")), model=_STRING, version=_STRING,
)  # fmt: skip
_SCHEMAS: Schema = {
    "Error": _object(error=_STRING),
    "Candidate": _CANDIDATE,
    "Char": _CHAR,
    "Line": _LINE,
    "Page": _PAGE,
    "Reading": _array(_ref("Page")),
    "Classification": _object(candidates=_array(_ref("Candidate")), by={"enum": ["classifier", "line reader"]}),
    "Health": _object(status={"enum": ["ok"]}, workers=_WHOLE, taken=_WHOLE),
    "Version": _object(
        version=_STRING, model=_STRING, classifier={"type": ["string", "null"]}, lm_weight=_NUMBER, scripts=_array(_STRING), formats=_array(_STRING),
        decoders=_array(_STRING), saves={"type": "boolean"}, limits={"type": "object"},
    ),
    "Saved": _object(saved=_WHOLE),
}  # fmt: skip
