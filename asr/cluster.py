"""Recognition by a cluster: replicas of the engine in processes and on machines of Ray's.

Each replica is the very engine that a single process uses, so batches form inside it. Ray Serve starts the
replicas, watches over them, replaces dead ones and makes more or fewer of them by how much is asked; this
side spreads utterances over them and asks again when a replica was lost.
"""

import asyncio
import dataclasses
import hashlib
import logging
import math
import os
import re
import secrets
import socket
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from asr.engine import EngineSettings
from asr.errors import ModelError, RecognitionError
from asr.recognizer import Recognition, Recognizer, Speech
from asr.remote import ClusterStats, RemoteRecognizer, RemoteSettings, ReplicaLostError, is_cancelled
from asr.replica import Answer, Replica
from asr.whisper import WhisperSettings, open_engine

EngineFactory: TypeAlias = Callable[
    [WhisperSettings, EngineSettings], AbstractAsyncContextManager[Recognizer]
]

_OBJECT_STORE_BYTES = 100 * 2**20
_POLL_S = 0.2
_KNOCK_S = 10.0
_NAMESPACE = "callcenter"
_ROUTER = "ray.serve.experimental.round_robin_router.RoundRobinRouter"
"""Ray's usual one compares lengths of queues that it has cached, and sends all of a burst to one replica."""

_REASON = re.compile(r"ModelError: (asr\..*)")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Where the replicas run and how many.

    ``address`` is Ray's, ``HOST:PORT`` of its head, and this machine must have joined that cluster; empty
    starts one on this machine that ends with this process. ``name`` begins the name of the application in
    the cluster; processes with the same settings share its replicas. Ray Serve aims at ``asked_target``
    utterances at once per replica, and gives it ``asked_max`` at most, of which batches form. An utterance
    is asked for ``attempts`` times when replicas are lost. ``start_timeout_s`` includes the download of a
    model.
    """

    address: str = ""
    replicas_min: int = 1
    replicas_max: int = 4
    cores_per_replica: float = 1.0
    gpus_per_replica: float = 0.0
    name: str = "callcenter-speech"
    asked_target: float = 16.0
    asked_max: int = 64
    attempts: int = 8
    start_timeout_s: float = 900.0
    drain_timeout_s: float = 10.0


class RayRecognizer:
    """The ``Recognizer`` whose engines are replicas of a Ray Serve application. One per process.

    Entering deploys the application, or joins it where it runs with the same settings, and raises
    ``ModelError`` where Ray or the model cannot be had. Leaving waits for what was asked, for
    ``drain_timeout_s`` at most; what is left fails with ``ClosedSpeechError``. Then a cluster that was
    started here ends; in another one the application ends with the last process that uses it.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        whisper: WhisperSettings,
        engine: EngineSettings | None = None,
        factory: EngineFactory = open_engine,
    ) -> None:
        self._settings = settings
        self._application = _Application(settings, partial(factory, whisper, engine or EngineSettings()))
        self._remote = RemoteRecognizer(
            self._application.ask,
            RemoteSettings(settings.replicas_max * settings.asked_max, settings.attempts),
        )

    async def __aenter__(self) -> Self:
        # Ray's processes end with the thread that started them, so it must stay.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ray")
        try:
            await self._start()
        except BaseException:
            await asyncio.shield(self._stop())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._remote.close(self._settings.drain_timeout_s)
        finally:
            await asyncio.shield(self._stop())

    async def recognize(self, speech: Speech) -> Recognition:
        """See ``Recognizer.recognize``. A partial whose replica is lost is not asked for again."""
        return await self._remote.recognize(speech)

    def pace(self) -> float:
        """See ``Recognizer.pace``."""
        return self._remote.pace()

    def stats(self) -> ClusterStats:
        """Figures for metrics."""
        return self._remote.stats()

    async def _start(self) -> None:
        await self._in_thread(self._application.connect)
        await self._in_thread(self._application.deploy)
        try:
            async with asyncio.timeout(self._settings.start_timeout_s):
                while not await self._in_thread(self._application.is_running):  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise ModelError(
                f"asr.cluster: no replica was ready within {self._settings.start_timeout_s:g} s; "
                "are there enough free cores and GPUs?"
            ) from None

    async def _stop(self) -> None:
        await self._in_thread(self._application.disconnect)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _Application:
    """Ray Serve's side of it. All but ``ask`` block.

    Its name tells its settings, so that different ones do not disturb each other. In a cluster by address
    every process leaves an actor, which ends with it, to tell that it uses the application.
    """

    def __init__(self, settings: ClusterSettings, open_one: partial[Any]) -> None:
        self._settings = settings
        self._open_one = open_one
        self._name = f"{settings.name}-{_digest(settings, open_one)}"
        self._presence: Any = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._ray: Any = None
        self._serve: Any = None
        self._handle: Any = None

    def connect(self) -> None:
        """Start a cluster on this machine or connect to one; raises ``ModelError``."""
        address = self._settings.address
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # else what is late after the end starts a new cluster
        if not address:
            # Ray then listens on the loopback address alone, on Linux too, but for one port of each replica,
            # and all ask for the token.
            os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
            os.environ["RAY_AUTH_MODE"] = "token"
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        try:
            # Not before: Ray reads the environment when it is imported.
            import ray
            from ray import serve
        except ImportError:
            raise ModelError("asr.engine: ray is not installed: pip install 'callcenter[cluster]'") from None
        self._ray, self._serve = ray, serve
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        try:
            _knock(address)
            ray.init(**self._cluster(), log_to_driver=False, logging_level=logging.ERROR)
            serve.start(proxy_location="Disabled", logging_config=_quiet())
        except Exception as error:  # Ray raises errors of many kinds here
            problem = f".address: {address}: cannot be reached" if address else ": Ray cannot be started"
            raise ModelError(f"asr.cluster{problem}: {_line(error)}") from error

    def deploy(self) -> None:
        """Have the application in the cluster; returns before it runs."""
        if self._settings.address and self._presence is None:
            presence = self._ray.remote(_Presence).options(
                name=f"{self._name}:{secrets.token_hex(8)}", namespace=_NAMESPACE, num_cpus=0
            )
            self._presence = presence.remote()
            self._ray.get(self._presence.is_here.remote())
            self._end_unused()
        running = self._serve.status().applications.get(self._name)
        if running is not None and not _has_failed(running):
            return
        deployment = self._serve.deployment(Replica).options(name="speech", **self._options())
        target = self._serve.RunTarget(deployment.bind(self._open_one), name=self._name, route_prefix=None)
        self._serve.run_many([target], wait_for_applications_running=False)

    def is_running(self) -> bool:
        """Whether replicas are ready to be asked; raises ``ModelError`` when they cannot be made."""
        application = self._serve.status().applications.get(self._name)
        if application is None:
            self.deploy()
            return False
        if _has_failed(application):
            messages = [application.message, *(one.message for one in application.deployments.values())]
            raise ModelError(_reason("\n".join(messages)))
        if application.status.value != "RUNNING":
            return False
        self._handle = self._serve.get_app_handle(self._name)
        return True

    async def ask(self, speech: Speech) -> Answer:
        """Have one replica recognize ``speech``; raises ``ReplicaLostError`` or ``RecognitionError``."""
        errors = self._ray.exceptions
        response = None
        try:
            response = self._handle.recognize.remote(speech)
            answer = await response
        except asyncio.CancelledError:
            if response is not None:
                response.cancel()
            if is_cancelled():
                raise
            raise ReplicaLostError("given up by its replica") from None
        except errors.RayTaskError as error:
            if isinstance(error.cause, errors.RayError):
                raise ReplicaLostError(type(error.cause).__name__) from None
            raise RecognitionError(f"recognition failed: {type(error.cause).__name__}") from None
        except (errors.RayError, self._serve.exceptions.RayServeException) as error:
            raise ReplicaLostError(type(error).__name__) from None
        assert isinstance(answer, Answer)
        return answer

    def disconnect(self) -> None:
        """End the cluster, if it was started here, or leave it. May be called at any time."""
        if self._handle is not None:
            self._handle.shutdown()
        if self._presence is not None:
            self._ray.kill(self._presence)
            self._end_unused()
        if self._ray is not None and self._ray.is_initialized():
            self._ray.shutdown()
        if self._folder is not None:
            self._folder.cleanup()

    def _end_unused(self) -> None:
        """End applications of this kind that no process uses any more, whatever their settings."""
        actors = self._ray.util.list_named_actors(all_namespaces=True)
        used = {one["name"].split(":")[0] for one in actors if one["namespace"] == _NAMESPACE}
        for name in self._serve.status().applications:
            if name.startswith(f"{self._settings.name}-") and name not in used:
                self._serve.delete(name)

    def _cluster(self) -> dict[str, Any]:
        settings = self._settings
        if settings.address:
            return {"address": settings.address}
        self._folder = tempfile.TemporaryDirectory(prefix="cc-ray-", ignore_cleanup_errors=True)
        least, most = (
            math.ceil(replicas * settings.cores_per_replica)
            for replicas in (settings.replicas_min, settings.replicas_max)
        )
        return {
            "address": "local",
            "num_cpus": max(least, min(most, os.cpu_count() or 1)),
            "object_store_memory": _OBJECT_STORE_BYTES,
            "include_dashboard": False,
            "_temp_dir": self._folder.name,
        }

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "ray_actor_options": {
                "num_cpus": settings.cores_per_replica,
                "num_gpus": settings.gpus_per_replica,
            },
            "autoscaling_config": {
                "min_replicas": settings.replicas_min,
                "max_replicas": settings.replicas_max,
                "target_ongoing_requests": settings.asked_target,
                "upscale_delay_s": 10.0,
                "downscale_delay_s": 300.0,
            },
            "max_ongoing_requests": settings.asked_max,
            "request_router_config": {"request_router_class": _ROUTER},
            "max_constructor_retry_count": 1,
            "health_check_period_s": 5.0,
            "health_check_timeout_s": 15.0,
            "graceful_shutdown_timeout_s": 60.0,
            "logging_config": _quiet(),
        }


class _Presence:
    """Is there as long as the process that made it."""

    def is_here(self) -> bool:
        return True


def _knock(address: str) -> None:
    """Raise ``OSError`` where nobody listens at ``HOST:PORT``; Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and "/" not in host and port.isdecimal():
        socket.create_connection((host, int(port)), _KNOCK_S).close()


def _digest(settings: ClusterSettings, open_one: partial[Any]) -> str:
    """Eight letters for all that makes a replica; not for how this process reaches it."""
    shared = dataclasses.replace(settings, address="", attempts=0, start_timeout_s=0, drain_timeout_s=0)
    parts = (shared, open_one.func.__qualname__, open_one.args)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]


def _has_failed(application: Any) -> bool:
    return bool(application.status.value == "DEPLOY_FAILED")


def _quiet() -> dict[str, Any]:
    return {"enable_access_log": False, "log_level": "WARNING"}


def _reason(messages: str) -> str:
    """The replica's own ``ModelError``, found in the traceback that Ray hands on as text."""
    if found := _REASON.findall(messages):
        return str(found[-1]).strip()
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    return f"asr.cluster: replicas cannot be started: {lines[-1] if lines else 'no reason given'}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
