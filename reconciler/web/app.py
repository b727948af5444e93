"""The application: the routes of the roles that are served, one form for every error, and limits around all of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from reconciler import __version__
from reconciler.errors import ReconcilerError
from reconciler.web import docs
from reconciler.web.binhost import BinhostRoutes
from reconciler.web.errors import HttpError, bad_input, headers_of, on_the_wire, status_of
from reconciler.web.limits import Limits
from reconciler.web.orchestrator.api import Api
from reconciler.web.orchestrator.events import Events
from reconciler.web.orchestrator.logs import Logs
from reconciler.web.orchestrator.serving import Serving
from reconciler.web.orchestrator.submitting import complaints

ERROR = 3
"""As syslog has it."""

Say = Callable[[str, int], None]


def orchestrator_app(serving: Serving, events: Events, say: Say) -> FastAPI:
    """The role `orchestrator`: its API, and its binhost."""
    app = FastAPI(
        title="reconciler orchestrator",
        version=__version__,
        description="The build queue, drones, builds and the binhost. Answers are {schema, ok, data, error}.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for routes in (Api(serving), Logs(serving), events, BinhostRoutes(serving)):
        app.include_router(routes.routes())
    app.add_route("/docs", lambda _: HTMLResponse(docs.page(app.openapi()), headers=docs.HEADERS))
    _answer_errors(app, say)
    app.add_middleware(Limits)
    return app


def _answer_errors(app: FastAPI, say: Say) -> None:
    def ours(_request: Request, error: Any) -> JSONResponse:
        return _told(error)

    def invalid(_request: Request, error: Any) -> JSONResponse:
        return _told(bad_input("the request is not as it has to be", complaints(error.errors())))

    def cut_off(_request: Request, _error: Any) -> JSONResponse:
        why = "the connection ended amid the body"
        return _told(HttpError(400, "E-HTTP-INPUT", "the request did not come to its end", why=why, next="try again"))

    def by_the_framework(request: Request, error: Any) -> JSONResponse:
        return _told(_in_our_words(request, error))

    def unexpected(request: Request, error: Exception) -> JSONResponse:
        say(f"{request.method} {request.url.path}: a mistake in reconciler", ERROR)
        for line in "".join(traceback.format_exception(error)).splitlines():
            say(line, ERROR)
        return _told(
            HttpError(
                500,
                "E-INTERNAL",
                f"a mistake in reconciler: {type(error).__name__}",
                why="something happened that nobody thought of; its log has the details",
                next="report it with those lines",
            )
        )

    app.add_exception_handler(ReconcilerError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, by_the_framework)
    app.add_exception_handler(ClientDisconnect, cut_off)
    app.add_exception_handler(Exception, unexpected)


def _told(error: ReconcilerError) -> JSONResponse:
    return JSONResponse(on_the_wire(error), status_of(error), headers_of(error))


def _in_our_words(request: Request, error: HTTPException) -> HttpError:
    """A route that there is not, a method that it does not have, a body that ended early."""
    headers = dict(error.headers or {})
    if error.status_code == 404:
        what, why = f"there is no {request.url.path[:200]}", "it is no address of this role"
        return HttpError(404, "E-HTTP-MISSING", what, why=why, next="/docs has those that there are", headers=headers)
    if error.status_code == 405:
        why = f"{request.method[:20]} is not among its methods"
        return HttpError(405, "E-HTTP-METHOD", "not so", why=why, next="/docs has what there is", headers=headers)
    why = str(error.detail)[:200]
    return HttpError(error.status_code, "E-HTTP-INPUT", "it cannot be read", why=why, next="mend it", headers=headers)
