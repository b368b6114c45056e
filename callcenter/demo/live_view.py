"""Draws the board for a terminal."""

from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from callcenter.demo.board import Board, Saying, Spoken

CALLS_SHOWN = 8
AGENTS_SHOWN = 8
SAYING_SHOWN = 6
SAYING_CHARACTERS = 80
"""The last ones are shown: those that have just been said."""
_STATE_STYLES = {
    "available": "green",
    "reserved": "yellow",
    "ringing": "yellow",
    "talking": "bold cyan",
    "wrap_up": "magenta",
    "waiting": "yellow",
}


def draw(board: Board, url: str, calls: int, elapsed_s: float, now: datetime) -> RenderableType:
    """The whole picture; ``calls`` is how many there will be, ``now`` is UTC."""
    head = Text.assemble(
        ("callcenter demo ", "bold"),
        (url, "underline"),
        f"   {elapsed_s:3.0f} s   calls {board.calls_begun} of {calls} begun, {board.calls_ended} ended"
        f"   words {board.words_heard}",
    )
    sides = Table.grid(padding=(0, 2))
    sides.add_row(_queues(board, now), _agents(board, now))
    return Group(head, sides, _calls(board, now), _words(board), Text("\n".join(board.steps), style="dim"))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _queues(board: Board, now: datetime) -> Table:
    table = _table("Queues", "queue", "waiting", "longest", "answered", "level")
    for queue in board.queues:
        waiting = int(queue["waiting"])
        style = "yellow" if waiting else ""
        today = queue["today"]
        answered, level = f"{today['answered']} of {today['offered']}", today["service_level"]["value"]
        share = "" if level is None else f"{100 * level:.0f} %"
        age = _age(queue["oldest_at"], now)
        table.add_row(queue["name"], Text(str(waiting), style), age, answered, share)
    return table


def _agents(board: Board, now: datetime) -> Table:
    table = _table("Agents", "agent", "state", "for", "caller")
    for agent in board.agents[:AGENTS_SHOWN]:
        caller = board.number_of(agent["call_id"]) if agent["call_id"] else ""
        table.add_row(agent["id"], _state(agent["state"]), _age(agent["since"], now), caller)
    if len(board.agents) > AGENTS_SHOWN:
        table.add_row(f"and {len(board.agents) - AGENTS_SHOWN} more", "", "", "")
    return table


def _calls(board: Board, now: datetime) -> Table:
    table = _table("Calls", "caller", "phase", "queue", "agent", "since")
    for call in board.calls[:CALLS_SHOWN]:
        table.add_row(
            call["from"],
            _state(call["phase"]),
            call["queue"],
            call["agent_id"],
            _age(call["started_at"], now),
        )
    if len(board.calls) > CALLS_SHOWN:
        table.add_row(f"and {len(board.calls) - CALLS_SHOWN} more", "", "", "", "")
    return table


def _words(board: Board) -> Panel:
    lines = [spoken_text(spoken) for spoken in board.words]
    lines += [_saying_text(saying) for saying in [*board.saying.values()][-SAYING_SHOWN:]]
    return Panel(Text("\n").join(lines), title="Words", title_align="left", box=box.ROUNDED)


def spoken_text(spoken: Spoken) -> Text:
    """One piece of transcript on one line."""
    late = " (came late)" if spoken.is_late else ""
    return _line(spoken.speaker, spoken.is_agent, (spoken.text, ""), (late, "dim"))


def _saying_text(saying: Saying) -> Text:
    volatile = saying.volatile[-SAYING_CHARACTERS:]
    stable = saying.stable[max(len(saying.stable) + len(volatile) - SAYING_CHARACTERS, 0) :]
    return _line(saying.speaker, saying.is_agent, (stable, ""), (f"{volatile} …", "dim italic"))


def _line(speaker: str, is_agent: bool, *parts: tuple[str, str]) -> Text:
    text = Text.assemble((f"{speaker:>12}  ", "cyan" if is_agent else "green"), *parts)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _state(state: str) -> Text:
    return Text(state.replace("_", " "), _STATE_STYLES.get(state, ""))


def _age(since: Any, now: datetime) -> str:
    if since is None:
        return ""
    seconds = max((now - datetime.fromisoformat(since).astimezone(UTC)).total_seconds(), 0)
    return f"{seconds:.0f} s"


def step_line(who: str, what: str, text: str) -> str:
    """A step of the simulation on one line."""
    return f"{who:>12}  {what} {text}".rstrip()
