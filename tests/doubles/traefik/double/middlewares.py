"""The middlewares of roles/traefik, by their names, with the meaning that Traefik's reference gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from double.answered import errors, headers, redirect_scheme, replace_path
from double.bodies import buffering, compress
from double.chain import Around, Handler, Services, Settings
from double.limits import in_flight_req, ip_allow_list, rate_limit
from double.requests import Request
from double.wire import Answer


def retry(settings: Settings, _: Services) -> Around:
    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            # What asks the servers counts them down: it alone knows whether anything was sent.
            request.attempts = int(settings["attempts"])
            await then(request, answer)

        return handle

    return around


BUILT: Mapping[str, Callable[[Settings, Services], Around]] = {
    "ipAllowList": ip_allow_list,
    "rateLimit": rate_limit,
    "inFlightReq": in_flight_req,
    "headers": headers,
    "errors": errors,
    "redirectScheme": redirect_scheme,
    "replacePath": replace_path,
    "buffering": buffering,
    "compress": compress,
    "retry": retry,
}
