"""What routes work with, as typed FastAPI dependencies.

A route names what it needs in its signature, as in `settings: SettingsDep`, and gets it for HTTP and WebSockets alike.
Nothing else looks into the state of the application.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection
from prometheus_client import CollectorRegistry

from mien.app.access import Principal, Server
from mien.app.broadcasts.broadcast import Broadcast
from mien.app.broadcasts.broadcasts import Broadcasts
from mien.app.frames.exchanges import Exchanges
from mien.app.personas.store import PersonaStore
from mien.app.ports import Runner
from mien.app.repositories import RecordingRepository
from mien.config import Settings
from mien.rate_limit import TokenBuckets
from mien.server.auth import bearer_token, identify
from mien.server.concurrency_limit import ConcurrencyLimit
from mien.server.late_models import LateModels
from mien.server.listeners import Listeners
from mien.server.web_pages import WebPages


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running server. `open_services` makes them, and the application's lifespan hands them on.

    Attributes:
        settings: Everything that can be set.
        server: This server as rules see it.
        runner: Runs live sessions.
        broadcasts: Those that there are.
        personas: Photos lent as personas.
        recordings: The finished ones.
        models: Opens the pipeline factory when first needed.
        exchanges: Clients that have single frames treated.
        listeners: Clients that listen to broadcasts.
        pages: The built ones.
        metrics: What `/metrics` shows.
        uploads: How many clients may send photos at a time.
        viewer_offers: How many offers an address may make.
        introductions: How often an address may ask for ICE servers.
    """

    settings: Settings
    server: Server
    runner: Runner
    broadcasts: Broadcasts
    personas: PersonaStore
    recordings: RecordingRepository
    models: LateModels
    exchanges: Exchanges
    listeners: Listeners
    pages: WebPages
    metrics: CollectorRegistry
    uploads: ConcurrencyLimit
    viewer_offers: TokenBuckets
    introductions: TokenBuckets


def services_of(connection: HTTPConnection) -> Services:
    """Return the parts of the server that answers."""
    services: Services = connection.state.services
    return services


def principal_of(connection: HTTPConnection, token: str | None) -> Principal:
    """Return who makes a request that shows `token`."""
    services = services_of(connection)
    return identify(connection, token, settings=services.settings, by_token=services.broadcasts.by_token)


def is_known(connection: HTTPConnection) -> bool:
    """Tell whether the operator or the broadcaster of a broadcast makes a request."""
    principal = principal_of(connection, bearer_token(connection))
    return principal.is_operator or principal.broadcast_id is not None


def _part(get: Callable[[Services], object]) -> Callable[[HTTPConnection], Awaitable[object]]:
    async def part(connection: HTTPConnection) -> object:  # a coroutine: FastAPI runs plain functions on a thread
        return get(services_of(connection))

    return part


async def _services(connection: HTTPConnection) -> Services:
    return services_of(connection)


async def _principal(connection: HTTPConnection) -> Principal:
    return principal_of(connection, bearer_token(connection))


async def _broadcast(connection: HTTPConnection, broadcast_id: str) -> Broadcast:
    return services_of(connection).broadcasts.get(broadcast_id)


ServicesDep = Annotated[Services, Depends(_services)]
PrincipalDep = Annotated[Principal, Depends(_principal)]
"""Who makes the request, by its `Authorization` header and where it comes from."""
BroadcastDep = Annotated[Broadcast, Depends(_broadcast)]
"""The broadcast that `broadcast_id` in the path names; there being none is a 404."""
SettingsDep = Annotated[Settings, Depends(_part(lambda services: services.settings))]
ServerDep = Annotated[Server, Depends(_part(lambda services: services.server))]
RunnerDep = Annotated[Runner, Depends(_part(lambda services: services.runner))]
BroadcastsDep = Annotated[Broadcasts, Depends(_part(lambda services: services.broadcasts))]
PersonasDep = Annotated[PersonaStore, Depends(_part(lambda services: services.personas))]
RecordingsDep = Annotated[RecordingRepository, Depends(_part(lambda services: services.recordings))]
ModelsDep = Annotated[LateModels, Depends(_part(lambda services: services.models))]
ExchangesDep = Annotated[Exchanges, Depends(_part(lambda services: services.exchanges))]
ListenersDep = Annotated[Listeners, Depends(_part(lambda services: services.listeners))]
PagesDep = Annotated[WebPages, Depends(_part(lambda services: services.pages))]
MetricsDep = Annotated[CollectorRegistry, Depends(_part(lambda services: services.metrics))]
ViewerOffersDep = Annotated[TokenBuckets, Depends(_part(lambda services: services.viewer_offers))]
IntroductionsDep = Annotated[TokenBuckets, Depends(_part(lambda services: services.introductions))]
