"""A picture of a flow as SVG: one panel for the flow and one for each sub-flow."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from textwrap import shorten

from ivr import nodes as node
from ivr.consent import Consent
from ivr.faq import Faq
from ivr.flow import RETURN, Flow
from ivr.layout import Layout, Pair, Point, Size, lay_out
from ivr.lookup import Lookup
from ivr.prompt import Item, NamedItem, WavItem
from ivr.questions import Gather, Menu
from ivr.survey import Survey

MIN_WIDTH = 190.0
HEADER = 26.0
LINE = 15.0
CHARACTER = 6.7
PADDING = 34.0
TITLE = 58.0
PANEL_GAP = 28.0
TEXT_LINES = 4
STEM = 18.0

_LOOKS = {
    "play": ("P", "#1d6fa5"),
    "menu": ("M", "#6d3fa8"),
    "gather": ("G", "#8a3f8f"),
    "branch": ("?", "#8a6100"),
    "set": ("=", "#5b6570"),
    "queue": ("Q", "#13795b"),
    "voicemail": ("V", "#a34a12"),
    "transfer": ("T", "#0f6d7a"),
    "hangup": ("H", "#a5283c"),
    "call": ("C", "#3d4f9f"),
    "lookup": ("L", "#47652a"),
    "consent": ("R", "#8c2f62"),
    "survey": ("S", "#2f6f7f"),
    "faq": ("F", "#2f6b2f"),
}
_STYLE = """
text{font:12px system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1b2129}
.title{font-size:15px;font-weight:600}
.name{font-weight:600}
.kind{font-size:10px;fill:#5b6570}
.icon{font-weight:700;fill:#fff;text-anchor:middle}
.label{font-size:11px;text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:4px}
.edge{fill:none;stroke:#5b6570;stroke-width:1.3}
.back{stroke-dasharray:5 3}
.panel{fill:#fff;stroke:#c3cad3}
.box{fill:#fafbfc}
"""


@dataclass(frozen=True, slots=True)
class _Panel:
    """One flow, laid out. Edges between the same two nodes are one line with all their labels."""

    flow: Flow
    layout: Layout
    sizes: dict[str, Size]
    labels: dict[Pair, str]
    texts: dict[str, list[str]]

    @property
    def width(self) -> float:
        return max(self.layout.width, _width(self.flow.name) * 1.5) + 2 * PADDING

    @property
    def height(self) -> float:
        return self.layout.height + TITLE + 2 * PADDING


def draw(flow: Flow) -> str:
    """The text of an SVG file that shows the flow and, to the right, all the flows it calls."""
    panels = [_panel(each) for each in _all_flows(flow)]
    x = y = PANEL_GAP
    height = 0.0
    parts: list[str] = []
    for index, panel in enumerate(panels):
        parts += [f'<g transform="translate({x:.0f} {y:.0f})">', *_panel_svg(panel), "</g>"]
        y += panel.height + PANEL_GAP
        height = max(height, y)
        if index == 0:
            x, y = x + panel.width + PANEL_GAP, PANEL_GAP
    width = x + max((panel.width + PANEL_GAP for panel in panels[1:]), default=0.0)
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{_safe(f'Call flow {flow.name}')}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#5b6570"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#eef1f4"/>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def _all_flows(flow: Flow) -> list[Flow]:
    found = [flow]
    for each in found:
        found += [inner for inner in each.flows.values() if inner not in found]
    return found


def _panel(flow: Flow) -> _Panel:
    names = [flow.start, *(name for name in flow.nodes if name != flow.start)]
    labels: dict[Pair, str] = {}
    for name in names:
        for edge in flow.edges(flow.nodes[name]):
            before = labels.get((name, edge.target))
            label = shorten(edge.label, 30, placeholder="…")
            labels[name, edge.target] = f"{before}, {label}" if before else label
    texts = {name: _text(flow, flow.nodes[name]) for name in names}
    for name in names:
        texts[name] += [f"↻ {labels[name, name]}"] if (name, name) in labels else []
    sizes = {name: _size(name, texts[name], labels) for name in names}
    if any(target == RETURN for _, target in labels):
        sizes[RETURN] = Size(84.0, HEADER)
    room = {pair: _width(label) + 16 for pair, label in labels.items()}
    return _Panel(flow, lay_out(sizes, room), sizes, labels, texts)


def _size(name: str, text: Sequence[str], labels: dict[Pair, str]) -> Size:
    leaving = sum(_width(label) + 16 for (a, b), label in labels.items() if a == name != b)
    inside = max((_width(line) for line in (name + " " * 16, *text)), default=0.0) + 20
    return Size(max(MIN_WIDTH, leaving, inside), HEADER + LINE * len(text) + (10 if text else 0))


def _width(text: str) -> float:
    return CHARACTER * sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _text(flow: Flow, drawn: node.AnyNode) -> list[str]:
    match drawn:
        case node.Play(prompts=prompts):
            return _said(flow, prompts)
        case Menu(attempts=attempts, timeout_s=timeout_s):
            prompts = drawn.say_or_press or drawn.prompts
            return [*_said(flow, prompts), f"attempts: {attempts}, {timeout_s:g} s"]
        case Gather():
            keys = f"{drawn.shortest}" + (f"–{drawn.longest}" if drawn.longest > drawn.shortest else "")
            end = f", ends with {drawn.terminator}" if drawn.terminator else ""
            secret = ", secret" if drawn.secret else ""
            spoken = " or words" if drawn.spoken else ""
            return [*_said(flow, drawn.prompts), f"{drawn.variable}: {keys} keys{spoken}{end}{secret}"]
        case Faq():
            number = len(flow.faqs[drawn.file].answers)
            return [*_said(flow, drawn.prompts), f"{number} answers of {drawn.file}"]
        case node.Branch():
            return []
        case node.Set(values=values):
            said = {"language": drawn.set_language, **values} if drawn.set_language else values
            return [shorten(f"{name} = {value}", 34, placeholder="…") for name, value in said.items()]
        case node.Queue(queue=queue, priority=priority):
            return [f"queue {queue}" + (f", priority {priority}" if priority else "")]
        case node.Voicemail(prompts=prompts, mailbox=mailbox, max_length_s=max_s):
            return [*_said(flow, prompts), f"mailbox {mailbox}, up to {max_s:g} s"]
        case node.Transfer(number=number):
            return [f"to {number}"]
        case node.HangUp(prompts=prompts, reason=reason):
            return [*_said(flow, prompts), f"call ends: {reason}"]
        case node.Call():
            return [f"goes through {drawn.callee}"]
        case Lookup(method=method, host=host, timeout_s=timeout_s):
            known = f"into {', '.join(drawn.into)}" if drawn.into else "nothing wanted of the answer"
            return [f"{method} {host}, up to {timeout_s:g} s", *_wrapped(known, 34)]
        case Consent(prompts=prompts, record=record):
            return [*_said(flow, prompts), f"recorded: {record}"]
        case Survey(prompts=prompts, questions=questions, share=share):
            asked = ", ".join(f"{question.id} ({question.kind})" for question in questions)
            return [*_said(flow, prompts), *_wrapped(asked, 34), f"asked: {share:.0%} of the callers"]


def _said(flow: Flow, items: Sequence[Item]) -> list[str]:
    text = " ".join(_sound(flow, item) for item in items)
    return _wrapped(" ".join(text.split()), 34)


def _sound(flow: Flow, item: Item) -> str:
    if isinstance(item, NamedItem):
        item = flow.prompts[item.prompt]
    if isinstance(item, WavItem):
        return f"♪ {item.in_language(flow.language, flow.language)[0]}"
    return item.in_language(flow.language, flow.language)[0]


def _wrapped(text: str, columns: int) -> list[str]:
    """Lines of at most ``columns`` narrow characters, broken at spaces where there are any."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        for piece in _pieces(word, columns):
            longer = f"{line} {piece}".strip()
            if line and _width(longer) > columns * CHARACTER:
                lines.append(line)
                longer = piece
            line = longer
    lines += [line] if line else []
    return lines if len(lines) <= TEXT_LINES else [*lines[: TEXT_LINES - 1], f"{lines[TEXT_LINES - 1]} …"]


def _pieces(word: str, columns: int) -> Iterator[str]:
    while _width(word) > columns * CHARACTER:
        yield word[: columns // 2]
        word = word[columns // 2 :]
    yield word


def _panel_svg(panel: _Panel) -> Iterator[str]:
    yield f'<rect class="panel" rx="10" width="{panel.width:.0f}" height="{panel.height:.0f}"/>'
    yield f'<text class="title" x="18" y="28">{_safe(panel.flow.name)}</text>'
    start = panel.layout.corners[panel.flow.start]
    middle = start[0] + panel.sizes[panel.flow.start].width / 2
    yield f'<g transform="translate({PADDING:.0f} {PADDING + TITLE - 16:.0f})">'
    yield f'<circle cx="{middle:.1f}" cy="-26" r="6" fill="#1b2129"/>'
    yield f'<path class="edge" marker-end="url(#tip)" d="M{middle:.1f} -20V-1"/>'
    for line in panel.layout.lines.values():
        back = " back" if line[0][1] > line[-1][1] else ""
        yield f'<path class="edge{back}" marker-end="url(#tip)" d="{_curve(line)}"/>'
    for name in panel.sizes:
        yield from _return_svg(panel) if name == RETURN else _box_svg(panel, name)
    for pair, line in panel.layout.lines.items():
        if panel.labels[pair]:
            x, y = line[0]
            y += -8 if line[0][1] > line[-1][1] else 16
            yield f'<text class="label" x="{x:.1f}" y="{y:.1f}">{_safe(panel.labels[pair])}</text>'
    yield "</g>"


def _curve(line: Sequence[Point]) -> str:
    (x, y), below = line[0], line[0][1] < line[-1][1]
    stem = (x, y + STEM if below else y - STEM)
    path = [f"M{x:.1f} {y:.1f}V{stem[1]:.1f}"]
    for (x, y), (to_x, to_y) in pairwise((stem, *line[1:])):
        half = (y + to_y) / 2
        path.append(f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}")
    return "".join(path)


def _box_svg(panel: _Panel, name: str) -> Iterator[str]:
    (x, y), size = panel.layout.corners[name], panel.sizes[name]
    kind = panel.flow.nodes[name].kind
    letter, colour = _LOOKS[kind]
    yield f'<g transform="translate({x:.1f} {y:.1f})">'
    box = f'rx="6" width="{size.width:.1f}" height="{size.height:.1f}" stroke="{colour}" stroke-width="1.6"'
    yield f'<rect class="box" {box}/>'
    yield f'<circle cx="15" cy="13" r="8.5" fill="{colour}"/>'
    yield f'<text class="icon" x="15" y="17.2">{letter}</text>'
    yield f'<text class="name" x="30" y="17">{_safe(name)}</text>'
    yield f'<text class="kind" text-anchor="end" x="{size.width - 9:.1f}" y="17">{kind}</text>'
    for index, line in enumerate(panel.texts[name], start=1):
        yield f'<text x="10" y="{HEADER + LINE * index - 2:.1f}">{_safe(line)}</text>'
    if (name, name) in panel.labels:
        loop = f"M{size.width:.1f} {size.height / 2 + 6:.1f}c26 8 26 -20 2 -14"
        yield f'<path class="edge back" marker-end="url(#tip)" d="{loop}"/>'
    yield "</g>"


def _return_svg(panel: _Panel) -> Iterator[str]:
    (x, y), size = panel.layout.corners[RETURN], panel.sizes[RETURN]
    yield f'<g transform="translate({x:.1f} {y:.1f})">'
    yield f'<rect rx="13" width="{size.width:.0f}" height="{size.height:.0f}" fill="#dfe4ea"/>'
    yield f'<text x="{size.width / 2:.1f}" y="17" text-anchor="middle">return</text></g>'


def _safe(text: str) -> str:
    """Text for XML, in which control characters may not even be escaped."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text))
