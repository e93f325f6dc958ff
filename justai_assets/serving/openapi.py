"""The OpenAPI document of the sources that send over HTTP."""

from __future__ import annotations

from typing import Any

import justai_assets.serving.request_json as bodies
from justai_assets.sources.registry import http_sources
from justai_assets.sources.source import Http

_ERROR = {
    "description": "Refused; the body names the reason.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}
_RETRY = {**_ERROR, "headers": {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}}


def _security(http: Http) -> list[dict[str, list[str]]]:
    """The ways to be known, any of which does; an empty one where the org can accept anybody."""
    if http.signature:
        return [{_scheme(http): []}]
    found: list[dict[str, list[str]]] = [{"apiKey": []}]
    found += [{"authorization": []}] if http.takes_authorization else []
    return [*found, *([{}] if http.may_be_open else [])]


def _scheme(http: Http) -> str:
    """The name of its signature in the document: each signing source has a header of its own."""
    return http.signature.replace("-", "")


def _operation(name: str, http: Http) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {
            "name": "org_slug",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
        }
    ]
    text = {"type": "string", "maxLength": 256}
    parameters += [{"name": parameter, "in": "query", "schema": text} for parameter in http.query]
    refused = {str(status): _ERROR for status in sorted(set(bodies.STATUS.values()))}
    return {
        "operationId": name,
        "summary": http.summary,
        "security": _security(http),
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
        },
        "responses": {
            "202": {
                "description": "The event is on disk. The id is the one it has in the landing zone.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}},
            },
            "401": _ERROR,
            "404": {"description": "No such path: the slug is missing, or something follows it."},
            "405": {"description": "A door takes POST only."},
            "408": _ERROR,
            **refused,
            "429": _RETRY,
            "431": {"description": "The request's head is too large."},
            "503": _RETRY,
        },
    }


def _page(summary: str, media: str, *, ready: bool = False) -> dict[str, Any]:
    content = {media: {"schema": {"type": "object" if media == "application/json" else "string"}}}
    responses: dict[str, Any] = {"200": {"description": summary, "content": content}}
    if ready:
        responses["503"] = {"description": "Not now.", "content": content}
    return {"get": {"summary": summary, "responses": responses}}


def document() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "JustAI collector",
            "version": "1",
            "description": "Webhooks in. An answer of 202 means that the event is on disk; every other answer, that "
            "the sender still has it.",
        },
        "paths": {
            **{f"{http.path}/{{org_slug}}": {"post": _operation(name, http)} for name, http in http_sources().items()},
            "/healthz": _page("The process answers", "text/plain"),
            "/readyz": _page("Requests would be taken", "text/plain", ready=True),
            "/metrics": _page("Counters for Prometheus", "text/plain"),
            "/openapi.json": _page("This document", "application/json"),
        },
        "components": {
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "authorization": {"type": "apiKey", "in": "header", "name": "Authorization"},
                **{
                    _scheme(http): {"type": "apiKey", "in": "header", "name": http.signature}
                    for http in http_sources().values()
                    if http.signature
                },
            },
            "schemas": {
                "Accepted": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
                "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
                **{
                    name: {"type": "object", "properties": dict(http.properties)}
                    for name, http in http_sources().items()
                },
            },
        },
    }
