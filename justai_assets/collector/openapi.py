"""The OpenAPI document of the doors."""

from __future__ import annotations

from typing import Any

import justai_assets.collector.bodies as bodies

PATHS = {
    "iterable_webhooks": "/api/webhook/itbl/{org_slug}",
    "journey_webhooks": "/api/webhook/events/{org_slug}",
    "chameleon_webhooks": "/api/webhook/chameleon/{org_slug}",
}
"""Door → the path it listens on."""

_ERROR = {
    "description": "Refused; the body names the reason.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}
_RETRY = {**_ERROR, "headers": {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}}
_SUMMARIES = {
    "iterable_webhooks": "An Iterable system webhook event",
    "journey_webhooks": "An Iterable Journey webhook: one custom event a call",
    "chameleon_webhooks": "A Chameleon webhook event",
}
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "iterable_webhooks": [{"apiKey": []}, {"authorization": []}, {}],
    "journey_webhooks": [{"apiKey": []}],
    "chameleon_webhooks": [{"signature": []}],
}


def _operation(door: str) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {
            "name": "org_slug",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
        }
    ]
    if door == "iterable_webhooks":
        parameters.append({"name": "campaignId", "in": "query", "schema": {"type": "string", "maxLength": 256}})
    refused = {str(status): _ERROR for status in sorted(set(bodies.STATUS.values()))}
    return {
        "operationId": door,
        "summary": _SUMMARIES[door],
        "security": _SECURITY[door],
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{door}"}}},
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
    text = {"type": ["string", "null"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "JustAI collector",
            "version": "1",
            "description": "Webhooks in. An answer of 202 means that the event is on disk; every other answer, that "
            "the sender still has it.",
        },
        "paths": {
            **{PATHS[door]: {"post": _operation(door)} for door in PATHS},
            "/healthz": _page("The process answers", "text/plain"),
            "/readyz": _page("Requests would be taken", "text/plain", ready=True),
            "/metrics": _page("Counters for Prometheus", "text/plain"),
            "/openapi.json": _page("This document", "application/json"),
        },
        "components": {
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "authorization": {"type": "apiKey", "in": "header", "name": "Authorization"},
                "signature": {"type": "apiKey", "in": "header", "name": "X-Chameleon-Signature"},
            },
            "schemas": {
                "Accepted": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
                "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
                "iterable_webhooks": {
                    "type": "object",
                    "properties": {
                        "email": text,
                        "userId": text,
                        "eventName": {"type": "string"},
                        "dataFields": {"type": "object", "properties": {"createdAt": {"type": "string"}}},
                    },
                },
                "journey_webhooks": {
                    "type": "object",
                    "properties": {"email": text, "workflowId": {"type": ["string", "integer"]}},
                },
                "chameleon_webhooks": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string"},
                        "sent_at": {"type": "string"},
                        "kind": {"type": "string"},
                        "data": {"type": "object"},
                    },
                },
            },
        },
    }
