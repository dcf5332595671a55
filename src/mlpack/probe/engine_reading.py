"""Asks the container engine and the docker command's plugins, all at once, in threads: each mostly waits.

Nothing here imports a noun, so that the answers arrive while the nouns are being imported.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from mlpack.probe.cdi import cdi_folders, read_cdi
from mlpack.probe.engine_address import Address, address_of, config_folder
from mlpack.probe.engine_http import NoAnswer, get
from mlpack.probe.json_fields import parse_object
from mlpack.probe.plugins import FOLDERS, ask_plugin, find_plugin
from mlpack.probe.reading import read_text

if TYPE_CHECKING:
    from mlpack.probe.outside import Outside

T = TypeVar("T")


class EngineAnswer(NamedTuple):
    """What the engine and its surroundings said, as text; ``problem`` instead when it could not be asked."""

    version: str = ""
    info: str = ""
    compose_version: str | None = None
    buildx_version: str | None = None
    cdi_devices: tuple[str, ...] = ()
    """Found in specification files on this machine."""
    problem: str | None = None
    plugins_asked: bool = True


class Later(Generic[T]):
    """A call that runs in a thread of its own; ``result`` waits for it and raises what it raised."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._value: T | None = None
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # handed to the thread that asks
            self._error = error

    def result(self) -> T:
        """What the call returned."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set unless there is an error


def read_engine(outside: Outside) -> EngineAnswer:
    """Everything about the engine; never raises, and takes little longer than the engine's timeout at most."""
    address = address_of(outside)
    if address.problem:
        return EngineAnswer(problem=address.problem)
    if address.socket and not Path(address.socket).exists():
        return EngineAnswer(problem=_problem(address, outside))
    info = Later(lambda: _get(address, "/info", outside))
    compose = Later(lambda: _plugin("compose", outside) if outside.plugins else None)
    buildx = Later(lambda: _plugin("buildx", outside) if outside.plugins else None)
    try:
        version = _get(address, "/version", outside)
        said = info.result()
    except NoAnswer as error:
        return EngineAnswer(problem=str(error))
    devices = tuple(name for folder in cdi_folders(said) for name in read_cdi(outside.at(folder)))
    return EngineAnswer(version, said, compose.result(), buildx.result(), devices, plugins_asked=outside.plugins)


def _get(address: Address, path: str, outside: Outside) -> str:
    return get(address, path, outside.engine_timeout_s).decode(errors="replace")


def _problem(address: Address, outside: Outside) -> str:
    """Why a socket that is not there cannot be asked, in the words that connecting gives."""
    try:
        get(address, "/version", outside.engine_timeout_s)
    except NoAnswer as error:
        return str(error)
    return f"{address} came up only now: probe again"


def _plugin(name: str, outside: Outside) -> str | None:
    """The plugin's version, from where the docker command looks: configured, the user's, the system's folders."""
    folder = config_folder(outside)
    extra = parse_object(read_text(folder / "config.json")).get("cliPluginsExtraDirs")
    chosen = [Path(item) for item in extra if isinstance(item, str)] if isinstance(extra, list) else []
    path = find_plugin(name, [*chosen, folder / "cli-plugins", *map(outside.at, FOLDERS)])
    return ask_plugin(path, outside.engine_timeout_s) if path else None
