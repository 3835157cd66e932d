"""A person asked on a page: a small server of this process, for the browser of that person alone.

The link of the page holds a token that works once; the browser gets a cookie for it. Requests
under another host's name, and forms sent from another page, are refused.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import uvicorn
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from debate.config.models import HumanModel
from debate.engines.human.human_page import (
    MAX_BODY,
    FormError,
    PageForm,
    find_difference,
    list_queue,
    parse_form,
    show_asked_turn,
)
from debate.engines.human.human_queue import HumanQueue, HumanTurn
from debate.engines.human.reply_form import describe_reading
from debate.errors import ModelRefused
from debate.terminal import make_console

FOLDER = Path(__file__).parent / "templates"
FILES = {"/style.css": "text/css", "/script.js": "text/javascript"}
HEADERS = {
    b"content-security-policy": b"default-src 'none'; style-src 'self'; script-src 'self'; "
    b"connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cache-control": b"no-store",
}
STALE_LINK = (
    "This link has been used, or is of an earlier start. The progress of the run shows the one "
    "that works now."
)
NO_LINK = "Open the link that the run has printed; its progress shows it, too."
GONE = (
    "Nobody waits for that turn any longer, so that what was handed in now is not used: it was "
    "handed in before, its time was over, or others went on without it."
)


@cache
def make_environment() -> Environment:
    """Return the environment of the templates, which escape whatever is put into them."""
    loader = FileSystemLoader(FOLDER)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)


class WebFront:
    """Serves the page of one person, and hands in what its form sends."""

    def __init__(self, spec: HumanModel, queue: HumanQueue) -> None:
        self._spec = spec
        self._address = spec.address
        self._fixed = os.environ.get(spec.token_env, "") if spec.token_env else ""
        self._port = spec.port
        self._pages = HumanPages(queue, hosts=(*spec.hosts, spec.address), token=self._fixed)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def place(self) -> str:
        """The link that opens the page now; a token of the user's own is not told."""
        host = f"[{self._address}]" if ":" in self._address else self._address
        told = f"${self._spec.token_env}" if self._fixed else self._pages.token
        return f"http://{host}:{self._port}/?token={told}"

    async def start(self) -> None:
        """Serve the page and print its link. Raises ModelRefused where the port cannot be had."""
        if self._spec.token_env and not self._fixed:
            told = f"the variable {self._spec.token_env} (token_env) is not set, or is empty"
            raise ModelRefused(told, boundary="page")
        listening = _listen(self._spec)
        self._port = listening.getsockname()[1]
        self._pages.cookie = f"debate_{self._port}"
        config = uvicorn.Config(
            self._pages.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            log_level="critical",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        told = f"a person is asked at {self.place}"
        make_console(stderr=True).print(told, markup=False, highlight=False, soft_wrap=True)

    async def close(self) -> None:
        """Serve nothing any more."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving


class _Server(uvicorn.Server):
    """A server that leaves signals to the run."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _listen(spec: HumanModel) -> socket.socket:
    """Return a socket that listens. Raises ModelRefused where the address cannot be had."""
    try:
        family, *_, place = socket.getaddrinfo(
            spec.address, spec.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
            listening.listen()
        except OSError:
            listening.close()
            raise
    except OSError as cause:
        told = (
            f"the page of a person cannot be served at port {spec.port} of {spec.address}: "
            f"{cause.strerror or cause}; name another `port`, or 0 for one that is free"
        )
        raise ModelRefused(told, boundary="page") from None
    return listening


class HumanPages:
    """The application: the page, its form, and what its script asks for.

    `token` is that of the link that works now. A browser that has come by a link has the session's
    cookie, and its forms hold the session's second secret.
    """

    def __init__(self, queue: HumanQueue, *, hosts: tuple[str, ...] = (), token: str = "") -> None:
        self.token = token or secrets.token_urlsafe(24)
        self.cookie = "debate"
        self._is_fixed = bool(token)
        self._queue = queue
        self._session = secrets.token_urlsafe(24)
        self._form_secret = secrets.token_urlsafe(24)
        self._notice = ""
        routes = [
            Route("/", self._show, methods=["GET"]),
            Route("/answer", self._take, methods=["POST"]),
            Route("/state", self._tell_state, methods=["GET"]),
            *(Route(name, _send_file, methods=["GET"]) for name in FILES),
        ]
        self.app = _Guard(Starlette(routes=routes), {"localhost", "127.0.0.1", "::1", *hosts})

    async def _show(self, request: Request) -> Response:
        """Show the turn that is to be answered next; exchange the token of a link for a cookie."""
        token = request.query_params.get("token")
        if token is not None and hmac.compare_digest(token.encode(), self.token.encode()):
            return self._admit()
        if not self._is_admitted(request):
            return self._refuse(NO_LINK if token is None else STALE_LINK)
        if token is not None:
            return RedirectResponse("/", status_code=303)
        notice, self._notice = self._notice, ""
        return self._render(self._queue.first, notice=notice)

    async def _take(self, request: Request) -> Response:
        """Hand in what the form holds, or show it again with what is to be corrected."""
        if not self._is_admitted(request) or not _is_same_origin(request):
            return self._refuse(NO_LINK)
        body = await _read_body(request)
        if body is None:
            told = f"A reply has at most {MAX_BODY:,} bytes; go back and shorten it."
            return self._refuse(told, status=413)
        fields = _parse_fields(body)
        if not hmac.compare_digest(fields.get("secret", "").encode(), self._form_secret.encode()):
            return self._refuse(NO_LINK)
        number = fields.get("turn", "")
        turn = self._queue.find(int(number)) if number.isdecimal() and len(number) < 12 else None
        form = PageForm.from_fields(fields)
        if turn is None:
            return self._render(self._queue.first, problem=GONE, lost=form, status=409)
        try:
            text = turn.form.write(parse_form(form))
        except FormError as error:
            return self._render(turn, form, problem=str(error), status=422)
        return self._hand_in(turn, form, text, is_confirmed="confirmed" in fields)

    def _hand_in(
        self, turn: HumanTurn, form: PageForm, text: str, *, is_confirmed: bool
    ) -> Response:
        try:
            read = turn.form.read(text)
        except Exception as cause:
            told = f"The reply cannot be read: {type(cause).__name__}: {cause}"
            return self._render(turn, form, problem=told, status=422)
        told = describe_reading(read, turn.form.wanted)
        problem = find_difference(parse_form(form), read, turn.form.wanted)
        if problem and not is_confirmed:
            return self._render(turn, form, problem=problem, reading=told, status=422)
        self._notice = f"Handed in: {told}." if self._queue.answer(turn, text) else GONE
        return RedirectResponse("/", status_code=303)

    async def _tell_state(self, request: Request) -> Response:
        """Tell the page's script which turns wait."""
        if not self._is_admitted(request):
            return self._refuse(NO_LINK)
        numbers = [turn.number for turn in self._queue.waiting]
        return JSONResponse({"waiting": numbers})

    def _admit(self) -> Response:
        """Give the browser the session's cookie, and let the link work no more."""
        if not self._is_fixed:
            self.token = secrets.token_urlsafe(24)
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(self.cookie, self._session, httponly=True, samesite="strict")
        return response

    def _is_admitted(self, request: Request) -> bool:
        given = request.cookies.get(self.cookie, "")
        return hmac.compare_digest(given.encode(), self._session.encode())

    def _render(
        self,
        turn: HumanTurn | None,
        form: PageForm | None = None,
        *,
        notice: str = "",
        problem: str = "",
        reading: str = "",
        lost: PageForm | None = None,
        status: int = 200,
    ) -> Response:
        """Return the page of a turn, or of none.

        problem: what is to be corrected in `form`; reading: how it would be handed in as it is.
        lost: a form that came too late.
        """
        content = (
            make_environment()
            .get_template("turn.html")
            .render(
                turn=None if turn is None else show_asked_turn(turn),
                form=form or PageForm(),
                queue=list_queue(self._queue),
                secret=self._form_secret,
                notice=notice,
                problem=problem,
                reading=reading,
                lost=lost,
            )
        )
        return _send_page(content, status)

    def _refuse(self, told: str, *, status: int = 403) -> Response:
        return _send_page(make_environment().get_template("refused.html").render(told=told), status)


def _send_page(content: str, status: int) -> Response:
    encoded = content.encode(errors="replace")
    return Response(encoded, status, media_type="text/html; charset=utf-8")


async def _send_file(request: Request) -> Response:
    path = request.url.path
    return Response((FOLDER / path[1:]).read_bytes(), media_type=FILES[path])


def _is_same_origin(request: Request) -> bool:
    """Whether a form was sent from a page of this server, as far as the browser tells."""
    origin = request.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host")
    return request.headers.get("sec-fetch-site", "same-origin") == "same-origin"


async def _read_body(request: Request) -> bytes | None:
    """Read the body of a request; None where it is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    return body


def _parse_fields(body: bytes) -> dict[str, str]:
    """Parse a form as browsers send it; of a field that is there twice, the first value."""
    try:
        fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


class _Guard:
    """Refuses requests under names of other hosts, and adds the headers that keep pages apart.

    A page elsewhere whose name is made to lead to this machine could otherwise read what is here.
    """

    def __init__(self, app: ASGIApp, hosts: set[str]) -> None:
        self._app = app
        self._hosts = {host.casefold() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        named = dict(scope["headers"]).get(b"host", b"").decode("latin-1")

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS.items()]
            await send(message)

        if (urlsplit(f"//{named}").hostname or "") in self._hosts:
            await self._app(scope, receive, send_guarded)
            return
        told = "this name is not one of the page's hosts"
        await Response(told, 421, media_type="text/plain")(scope, receive, send_guarded)
