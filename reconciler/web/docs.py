"""/docs: the OpenAPI as one plain page. The usual pages load their scripts from somebody else's servers."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}


def page(openapi: Mapping[str, Any]) -> str:
    """Every operation with what it takes, in the order of the routes."""
    return "\n".join(_lines(openapi))


def _lines(openapi: Mapping[str, Any]) -> Iterator[str]:
    info = openapi["info"]
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_text(info["title"])}</title>'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<h1>{_text(info['title'])} {_text(info['version'])}</h1><p>{_text(info.get('description', ''))}</p>"
    yield '<p>For programs: <a href="/openapi.json">/openapi.json</a></p>'
    for name, scheme in openapi.get("components", {}).get("securitySchemes", {}).items():
        yield f"<p><code>Authorization: {_text(scheme['scheme'].capitalize())}</code> with a <b>{_text(name)}</b>: "
        yield f"{_text(scheme.get('description', ''))}</p>"
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            yield from _operation(method.upper(), path, operation)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{method} {_text(path)}</code></h2><p>{_text(operation.get('description', ''))}</p><ul>"
    for names in operation.get("security", ()):
        yield f"<li><code>Authorization: Bearer</code> (header) {_text(' or '.join(names))}</li>"
    for parameter in operation.get("parameters", ()):
        needed = "" if parameter.get("required") else ", may be left out"
        about = " ".join(part for part in (parameter.get("description", ""), _values(parameter)) if part)
        yield f"<li><code>{_text(parameter['name'])}</code> ({parameter['in']}{needed}) {_text(about)}</li>"
    for kind in operation.get("requestBody", {}).get("content", {}):
        yield f"<li>body: <code>{_text(kind)}</code></li>"
    yield "</ul>"


def _values(parameter: Mapping[str, Any]) -> str:
    """Those that there are, when they can be counted; and which one it is when nobody says."""
    schema = parameter.get("schema", {})
    kinds = [each.get("items", each) for each in (schema, *schema.get("anyOf", ()))]
    words = [" | ".join(map(str, kind["enum"])) for kind in kinds if "enum" in kind]
    words += [f"[default: {schema['default']}]"] if schema.get("default") not in (None, "") else []
    return " ".join(words)


def _text(text: str) -> str:
    return html.escape(text)
