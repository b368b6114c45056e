"""Prints the results of a demo."""

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from callcenter.demo.compare import CALL_FIGURES, Compared, Unit, Value
from callcenter.demo.compare_callbacks import CALLBACK_FIGURES
from callcenter.demo.results import WER_LIMIT, Results
from callcenter.demo.transcript import CallTranscript

WIDTH = 132
"""Of the tables where the terminal is no terminal."""


def show(console: Console, results: Results, report: str) -> None:
    """Everything, the verdict last. ``report`` is the day's report as text."""
    console.print()
    console.print(Text(report), soft_wrap=True)
    if results.chosen is not None:
        console.print(_beside_its_script(results.chosen))
    console.print(_word_errors(results))
    for table in _figures(results.compared):
        console.print(table)
    for line in verdict(results):
        console.print(line, soft_wrap=True, highlight=False)


def verdict(results: Results) -> list[Text]:
    """What differs, what went wrong, and how it all came out."""
    lines = [
        Text(
            f"differs: {one.scope}, {one.name}: report {_plain(one.report)}, truth {_plain(one.truth)}", "red"
        )
        for one in results.different
    ]
    lines += [Text(f"seen by the simulated people: {problem}", "yellow") for problem in results.problems]
    good = len(results.compared) - len(results.different)
    lines.append(
        Text(
            f"{good} of {len(results.compared)} figures equal the truth",
            "bold red" if results.different else "bold green",
        )
    )
    style = "bold green" if results.words_are_good else "bold red"
    lines.append(
        Text(
            f"median WER of {len(results.transcripts)} answered calls: {_percent(results.median_wer)}", style
        )
        + Text(f" (limit {_percent(WER_LIMIT)})")
    )
    understood, said = results.spoken
    if said:
        lines.append(Text(f"{understood} of {said} choices said to the IVR were understood"))
    first = results.run.first_word_s
    heard = f"first word after {first:.1f} s, " if first is not None else ""
    lines.append(Text(f"{heard}all done after {results.run.duration_s:.1f} s"))
    return lines


def _table(*columns: str, right: bool = True) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if right and index else "left", no_wrap=right)
    return table


def _titled(title: str, table: Table) -> Group:
    return Group(Text(title, "bold"), table)


def _beside_its_script(chosen: CallTranscript) -> Group:
    errors = chosen.errors
    table = _table("s", "speaker", "script", "transcript", right=False)
    for line in chosen.lines:
        table.add_row(f"{line.at_s:.1f}", line.speaker, Text(line.said), Text(line.heard))
    title = f"Call of {chosen.number} with {chosen.agent}: {errors.errors} of {errors.words} words wrong"
    return _titled(f"{title}, WER {_percent(errors.rate)}", table)


def _word_errors(results: Results) -> Group:
    table = _table("caller", "agent", "words", "wrong", "WER")
    for one in results.transcripts:
        counts = (str(one.errors.words), str(one.errors.errors), _percent(one.errors.rate))
        table.add_row(one.number, one.agent, *counts)
    return _titled("Word error rate of answered calls", table)


# Figures: of the day both sides, of all else the report's and how far it is from the truth at most.


def _figures(compared: Sequence[Compared]) -> list[Group]:
    by_kind: dict[str, list[Compared]] = {}
    for one in compared:
        by_kind.setdefault(one.scope.partition(" ")[0], []).append(one)
    tables = [_day(by_kind["day"])]
    tables += [_grid(f"{kind.title()}s", by_kind[kind]) for kind in ("queue", "agent") if kind in by_kind]
    tables.append(_calls(by_kind.get("call", [])))
    if "callback" in by_kind:
        tables.append(_callbacks(by_kind["callback"]))
    return tables


def _day(compared: Sequence[Compared]) -> Group:
    table = _table("figure", "report", "truth", "difference")
    for one in compared:
        away = one.difference if one.unit is Unit.SECONDS else None
        difference = "" if away is None else f"{away:+.3f}"
        style = "" if one.equal else "bold red"
        table.add_row(one.name, _shown(one, one.report), _shown(one, one.truth), difference, style=style)
    return _titled("Figures of the day", table)


def _grid(title: str, compared: Sequence[Compared]) -> Group:
    """A row for each figure, a column for each scope."""
    scopes = list(dict.fromkeys(one.scope for one in compared))
    table = _table("figure", *(scope.partition(" ")[2] for scope in scopes))
    cells = {(one.name, one.scope): _cell(one) for one in compared}
    for name in dict.fromkeys(one.name for one in compared):
        table.add_row(name, *(cells.get((name, scope), "") for scope in scopes))
    return _titled(_within(title, compared), table)


def _calls(compared: Sequence[Compared]) -> Group:
    told = {one.name for one in compared if one.report is not None or one.truth is not None}
    return _rows("Calls", "caller", [name for name, _ in CALL_FIGURES if name in told], compared)


def _callbacks(compared: Sequence[Compared]) -> Group:
    return _rows("Callbacks", "customer", [name for name, _ in CALLBACK_FIGURES], compared)


def _rows(title: str, of_whom: str, names: Sequence[str], compared: Sequence[Compared]) -> Group:
    """A row for each call or callback, a column for each figure."""
    table = _table(of_whom, *names)
    table.padding = 0
    rows: dict[str, dict[str, Text]] = {}
    for one in compared:
        rows.setdefault(one.scope.partition(" ")[2], {})[one.name] = _cell(one, digits=1)
    for number, cells in rows.items():
        table.add_row(number, *(cells.get(name, "") for name in names))
    return _titled(_within(title, compared), table)


def _within(title: str, compared: Sequence[Compared]) -> str:
    away = [abs(one.difference or 0.0) for one in compared if one.equal and one.unit is Unit.SECONDS]
    largest = f"; times differ from the truth by at most {max(away):.3f} s" if away else ""
    return f"{title}: what the report says{largest}"


def _cell(one: Compared, digits: int = 2) -> Text:
    if not one.equal:
        return Text(f"{_shown(one, one.report)} ≠ {_shown(one, one.truth)}", "bold red")
    return Text(_shown(one, one.report, digits), "dim" if one.report is None else "")


def _shown(one: Compared, value: Value, digits: int = 2) -> str:
    if one.unit is Unit.RATIO and isinstance(value, float | int):
        return _percent(value)
    return _plain(value, digits).replace("_", " ")


def _plain(value: Value, digits: int = 2) -> str:
    match value:
        case None:
            return "–"
        case float():
            return f"{value:.{digits}f}"
        case _:
            return str(value)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
