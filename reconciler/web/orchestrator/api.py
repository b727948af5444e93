"""The routes of the orchestrator's API: what is shown, and what people ask for. docs/swarm.md shows them in use."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import PlainTextResponse

from reconciler.model.queue import BuildQuery
from reconciler.model.swarm import BuildState
from reconciler.web.auth import TOKEN
from reconciler.web.errors import HttpError, bad_input, missing
from reconciler.web.orchestrator.answers import (
    BuildDetailOut,
    BuildsOut,
    ChangedOut,
    CredentialOut,
    DroneOut,
    HealthOut,
    PackagesOut,
    QueueOut,
    RequestDetailOut,
    RequestsOut,
    StatusOut,
    StoredOut,
    SubmittedOut,
)
from reconciler.web.orchestrator.logs import tail
from reconciler.web.orchestrator.metrics import metrics_text
from reconciler.web.orchestrator.serving import Serving
from reconciler.web.orchestrator.submitting import TAKES, submitted
from reconciler.web.wire import FAILURES, Answer, Key, Line, Name, Submission

Id = Annotated[str, Path(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most")]
Origin = Annotated[str, Query(max_length=200, description="Only those of it: `set:NAME`, `emerge` or `atoms`")]
After = Annotated[str, Query(max_length=200, description="`next` of the page before")]
States = Annotated[
    list[BuildState] | None, Query(max_length=8, description="Only in this state; several may be given, each anew")
]
Drone = Annotated[str, Query(max_length=200, description="Only by this drone")]
Package = Annotated[str, Query(max_length=200, description="Only of this package: category/name")]
Profile = Annotated[str, Query(max_length=200, description="Only for this profile")]
Moment = Annotated[float | None, Query(allow_inf_nan=False, description="When its state began, in epoch seconds")]
Actor = Annotated[Line | None, Header(alias="X-Reconciler-Actor", description="Who asks")]
IdempotencyKey = Annotated[
    Key | None, Header(alias="Idempotency-Key", description="The same again builds nothing twice")
]

_FAR = 1000
"""So many requests back an origin is looked for."""


class Api:
    """Each method is a route; those that change something ask `Admins` first, before a body is read."""

    def __init__(self, serving: Serving) -> None:
        self._serving, self._orchestrator, self._now = serving, serving.orchestrator, serving.now

    def routes(self) -> APIRouter:
        shown = APIRouter(responses=FAILURES)
        shown.get("/api/status", response_model=Answer[StatusOut])(self.status)
        shown.get("/api/queue", response_model=Answer[QueueOut])(self.queue)
        shown.get("/api/requests", response_model=Answer[RequestsOut])(self.requests)
        shown.get("/api/requests/{id}", response_model=Answer[RequestDetailOut])(self.request)
        shown.get("/api/drones", response_model=Answer[list[DroneOut]])(self.drones)
        shown.get("/api/drones/{id}", response_model=Answer[DroneOut])(self.drone)
        shown.get("/api/builds", response_model=Answer[BuildsOut])(self.builds)
        shown.get("/api/builds/{id}", response_model=Answer[BuildDetailOut])(self.build)
        shown.get("/api/packages", response_model=Answer[PackagesOut])(self.packages)
        shown.get("/health", response_model=Answer[HealthOut])(self.health)
        shown.get("/metrics", response_class=PlainTextResponse)(self.metrics)
        asked = APIRouter(responses=FAILURES, dependencies=[Depends(self._serving.admins), Depends(TOKEN)])
        repeated: dict[int | str, dict[str, Any]] = {200: {"model": Answer[SubmittedOut], "description": "Repeated"}}
        asked.post(
            "/api/queue",
            response_model=Answer[SubmittedOut],
            status_code=202,
            responses=repeated,
            openapi_extra=TAKES,
        )(self.submit)
        asked.delete("/api/queue/{id}", response_model=Answer[ChangedOut])(self.cancel)
        asked.post("/api/queue/{id}/bump", response_model=Answer[ChangedOut])(self.bump)
        asked.post("/api/drones/{id}/drain", response_model=Answer[DroneOut])(self.drain)
        asked.post("/api/drones/{id}/undrain", response_model=Answer[DroneOut])(self.undrain)
        asked.post("/api/drones/{id}/restart", response_model=Answer[DroneOut])(self.restart)
        asked.post("/api/drones/{id}/enroll", response_model=Answer[CredentialOut], status_code=201)(self.enroll)
        asked.delete("/api/drones/{id}", response_model=Answer[ChangedOut])(self.revoke)
        all_of_them = APIRouter(tags=["orchestrator"])
        all_of_them.include_router(shown)
        all_of_them.include_router(asked)
        return all_of_them

    # ---- what is shown

    def status(self) -> Any:
        """How the swarm is, in numbers."""
        return _answer(self._orchestrator.status(self._now()))

    def health(self) -> Any:
        """200 while it acts, 503 when it has not for too long."""
        status = self._orchestrator.status(self._now())
        ticked = status.ticked
        if ticked is None or self._now() - ticked > self._serving.patience:
            silent = f"no step has come to its end for {self._serving.patience:.0f} s"
            why = "; ".join(status.trouble) or silent
            raise HttpError(503, "E-SERVE-STALLED", "the orchestrator does not act", why=why, next="look at its log")
        return _answer({"state": "ok", "ticked": ticked, "trouble": status.trouble})

    def metrics(self) -> PlainTextResponse:
        """For Prometheus."""
        status, queue = self._orchestrator.status(self._now()), self._orchestrator.queue(self._now())
        text = metrics_text(status, queue, self._orchestrator.drones())
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    def queue(self) -> Any:
        """What has not ended, with estimates; and the requests that wait for it."""
        return _answer(QueueOut.of(self._orchestrator.queue(self._now()), self._orchestrator.waiting()))

    def requests(self, origin: Origin = "", limit: Limit = 100) -> Any:
        """The latest, ended or not, newest first; `origin`: only those of it (`set:NAME`, `emerge`, `atoms`)."""
        found = (each for each in self._orchestrator.requests(_FAR) if origin in ("", each.origin))
        return _answer({"requests": list(islice(found, limit))})

    def request(self, id: Id) -> Any:
        """What somebody asked for, and what became of it."""
        with _known("request", id, "reconciler queue list"):
            return _answer(RequestDetailOut.of(self._orchestrator.request(id)))

    def drones(self) -> Any:
        """All that are enrolled."""
        return _answer([DroneOut.of(view) for view in self._orchestrator.drones()])

    def drone(self, id: Id) -> Any:
        """One drone, and what it holds."""
        with _known("drone", id, "reconciler drones list"):
            return _answer(DroneOut.of(self._orchestrator.drone(id)))

    def builds(
        self,
        *,
        limit: Limit = 100,
        after: After = "",
        state: States = None,
        drone: Drone = "",
        package: Package = "",
        profile: Profile = "",
        since: Moment = None,
        until: Moment = None,
    ) -> Any:
        """Builds, the one that changed last first; `after` is `next` of the page before."""
        query = BuildQuery(limit, after, tuple(state or ()), drone, package, profile, since, until)
        try:
            page = self._orchestrator.builds(query)
        except ValueError:
            raise bad_input("after: no page ended there", "it is `next` of the page before, as it was") from None
        return _answer(page)

    def build(self, id: Id) -> Any:
        """A build with its tries, what it needs and what needs it, and the end of its log."""
        with _known("build", id, "reconciler builds list"):
            view = self._orchestrator.build(id)
        return _answer(BuildDetailOut.of(view, tail(self._serving, view)))

    def packages(self, profile: Annotated[Name | None, Query(description="Only of this profile")] = None) -> Any:
        """What the binhost has."""
        profiles = [profile] if profile else self._serving.files.profiles()
        found = [StoredOut.of(each, stored) for each in profiles for stored in self._serving.binhost.index(each)]
        return _answer({"packages": found})

    # ---- what people ask for

    def submit(
        self,
        response: Response,
        wanted: Annotated[Submission, Depends(submitted)],
        key: IdempotencyKey = None,
        by: Actor = None,
    ) -> Any:
        """Have packages built: a list of atoms, a package set, or what `emerge -p` printed.

        The same idempotency key again builds nothing twice and answers 200.
        """
        if key and wanted.key and key != wanted.key:
            raise bad_input("two idempotency keys", "Idempotency-Key and `key` of the body differ")
        answer = self._orchestrator.submit(
            "\n".join(wanted.atoms) if wanted.atoms else wanted.text,
            key=key or wanted.key or f"http-{secrets.token_hex(12)}",
            actor=by or wanted.actor,
            profile=wanted.profile,
            now=self._now(),
            origin=f"set:{wanted.set}" if wanted.set else "",
            use={atom: tuple(flags) for atom, flags in wanted.use.items()},
        )
        response.status_code = 200 if answer.repeated else 202
        return _answer(SubmittedOut.of(answer))

    def cancel(self, id: Id, by: Actor = None) -> Any:
        """Of a request or of a build; what others want as well goes on."""
        with _known("request or build", id, "reconciler queue list"):
            return _answer({"builds": self._orchestrator.cancel(id, by or "http", self._now())})

    def bump(self, id: Id, by: Actor = None) -> Any:
        """A request or a build goes before all others, with what it needs."""
        with _known("request or build", id, "reconciler queue list"):
            return _answer({"builds": self._orchestrator.bump(id, by or "http", self._now())})

    def drain(self, id: Id, by: Actor = None) -> Any:
        """It ends what it builds and gets nothing new."""
        with _known("drone", id, "reconciler drones list"):
            self._orchestrator.drain(id, by or "http", self._now())
        return self.drone(id)

    def undrain(self, id: Id, by: Actor = None) -> Any:
        """It gets builds again."""
        with _known("drone", id, "reconciler drones list"):
            self._orchestrator.undrain(id, by or "http", self._now())
        return self.drone(id)

    def restart(self, id: Id, by: Actor = None) -> Any:
        """It ends what it does and begins anew; its builds are queued again, and count as no failure."""
        with _known("drone", id, "reconciler drones list"):
            self._orchestrator.restart(id, by or "http", self._now())
        return self.drone(id)

    def enroll(self, id: Annotated[Name, Path()], by: Actor = None) -> Any:
        """A credential for a drone; one that it had before is void."""
        return _answer({"drone": id, "credential": self._orchestrator.enroll(id, by or "http", self._now())})

    def revoke(self, id: Id, by: Actor = None) -> Any:
        """Its credential is void, what it builds goes elsewhere, and it is forgotten."""
        with _known("drone", id, "reconciler drones list"):
            held = [build.id for build in self._orchestrator.drone(id).holds]
            self._orchestrator.revoke(id, by or "http", self._now())
        return _answer({"builds": held})


def _answer(data: Any) -> dict[str, Any]:
    """The envelope; the route's model picks the fields."""
    return {"data": data}


@contextmanager
def _known(kind: str, id: str, next: str) -> Iterator[None]:
    try:
        yield
    except KeyError:
        raise missing(kind, id, next) from None
