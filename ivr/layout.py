"""Where the boxes and lines of a drawing go: a layered layout of a directed graph.

The steps are those of Sugiyama, Tagawa and Toda (1981): turn the edges that go back, give every box the
layer of its longest path from a source, let long edges pass through every layer, order the layers by
the mean place of their neighbours, and pull boxes towards these neighbours without changing the order.
All lengths are in pixels; y grows downwards.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP_X = 36.0
GAP_Y = 72.0
PASS_WIDTH = 14.0
SWEEPS = 12

Point = tuple[float, float]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Size:
    """How large a box is."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The result: the upper left corner of each box, and for each edge the points it passes in order."""

    corners: Mapping[str, Point]
    lines: Mapping[Pair, Sequence[Point]]
    width: float
    height: float


def lay_out(sizes: Mapping[str, Size], edges: Mapping[Pair, float]) -> Layout:
    """Place boxes of the given sizes. An edge from a box to itself is left out.

    ``edges`` says how much width each edge's label needs where it leaves its box.

    The first box of ``sizes`` is where the reader begins; it gets the top layer.
    """
    straight = [edge for edge in edges if edge[0] != edge[1]]
    back = _back_edges(list(sizes), straight)
    down = list(dict.fromkeys((b, a) if (a, b) in back else (a, b) for a, b in straight))
    layer_of = _layers(list(sizes), down)
    layers, chains = _with_passes(layer_of, down)
    links = [link for chain in chains.values() for link in pairwise(chain)]
    widths = {name: sizes[name].width if name in sizes else PASS_WIDTH for row in layers for name in row}
    layers = _ordered(layers, links)
    centres = _centres(layers, links, widths)
    return _assembled(sizes, edges, chains, layers, centres)


def _back_edges(names: Sequence[str], edges: Iterable[Pair]) -> set[Pair]:
    """The edges that close a loop for a reader who goes depth first from the first box."""
    after: dict[str, list[str]] = {name: [] for name in names}
    for a, b in edges:
        after[a].append(b)
    back: set[Pair] = set()
    done: set[str] = set()
    for root in names:
        path = [] if root in done else [(root, iter(after[root]))]
        on_path = {root}
        while path:
            name, following = path[-1]
            target = next(following, None)
            if target is None:
                path.pop()
                on_path.discard(name)
                done.add(name)
            elif target in on_path:
                back.add((name, target))
            elif target not in done:
                path.append((target, iter(after[target])))
                on_path.add(target)
    return back


def _layers(names: Sequence[str], edges: Sequence[Pair]) -> dict[str, int]:
    before: dict[str, list[str]] = {name: [] for name in names}
    for a, b in edges:
        before[b].append(a)
    layer_of: dict[str, int] = {}
    while len(layer_of) < len(names):
        for name in names:
            if name not in layer_of and all(source in layer_of for source in before[name]):
                layer_of[name] = 1 + max((layer_of[source] for source in before[name]), default=-1)
    return layer_of


def _with_passes(
    layer_of: Mapping[str, int], edges: Iterable[Pair]
) -> tuple[list[list[str]], dict[Pair, list[str]]]:
    """The layers with a place for every edge that passes through, and each edge as a chain of places."""
    layers: list[list[str]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for name, layer in layer_of.items():
        layers[layer].append(name)
    chains: dict[Pair, list[str]] = {}
    for a, b in edges:
        between = range(layer_of[a] + 1, layer_of[b])
        passes = [f"{a} {b} {layer}" for layer in between]
        for layer, place in zip(between, passes, strict=True):
            layers[layer].append(place)
        chains[a, b] = [a, *passes, b]
    return layers, chains


def _ordered(layers: list[list[str]], links: Sequence[Pair]) -> list[list[str]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for a, b in links:
        below.setdefault(a, []).append(b)
        above.setdefault(b, []).append(a)
    best, fewest = layers, _crossings(layers, links)
    current = [list(row) for row in layers]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        rows = range(1, len(current)) if down else range(len(current) - 2, -1, -1)
        for row in rows:
            beside = current[row - 1 if down else row + 1]
            current[row] = _by_neighbours(current[row], beside, above if down else below)
        crossings = _crossings(current, links)
        if crossings < fewest:
            best, fewest = [list(row) for row in current], crossings
    return best


def _by_neighbours(
    names: Sequence[str], beside: Sequence[str], neighbours: Mapping[str, list[str]]
) -> list[str]:
    place = {name: index / len(beside) for index, name in enumerate(beside)}

    def mean(numbered: tuple[int, str]) -> float:
        index, name = numbered
        places = [place[other] for other in neighbours.get(name, ())]
        return sum(places) / len(places) if places else index / len(names)

    return [name for _, name in sorted(enumerate(names), key=mean)]


def _crossings(layers: Sequence[Sequence[str]], links: Sequence[Pair]) -> int:
    place = {name: (row, index) for row, names in enumerate(layers) for index, name in enumerate(names)}
    by_row: dict[int, list[tuple[int, int]]] = {}
    for a, b in links:
        by_row.setdefault(place[a][0], []).append((place[a][1], place[b][1]))
    total = 0
    for pairs in by_row.values():
        pairs.sort()
        passed: list[int] = []
        for _, end in pairs:
            total += len(passed) - bisect_right(passed, end)
            insort(passed, end)
    return total


def _centres(
    layers: Sequence[Sequence[str]], links: Sequence[Pair], widths: Mapping[str, float]
) -> dict[str, float]:
    """The x of every place: near the mean of its neighbours, in order, and without overlap."""
    neighbours: dict[str, list[str]] = {}
    for a, b in links:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    centres: dict[str, float] = {}
    for names in layers:
        centres.update(zip(names, _spread(names, [0.0] * len(names), widths), strict=True))
    for sweep in range(2 * SWEEPS):
        for names in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [
                sum(centres[other] for other in near) / len(near)
                if (near := neighbours.get(name))
                else centres[name]
                for name in names
            ]
            centres.update(zip(names, _spread(names, wanted, widths), strict=True))
    return centres


def _spread(names: Sequence[str], wanted: Sequence[float], widths: Mapping[str, float]) -> list[float]:
    """The nearest x to those wanted, in least squares, that keep order and distance.

    Less the distances, the answer must not decrease, so it is an isotonic regression; blocks that come
    out of order are pooled at their mean.
    """
    offsets = [0.0]
    for one, other in pairwise(names):
        offsets.append(offsets[-1] + (widths[one] + widths[other]) / 2 + GAP_X)
    blocks: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            other_mean, other_count = blocks.pop()
            mean = (mean * count + other_mean * other_count) / (count + other_count)
            count += other_count
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _assembled(
    sizes: Mapping[str, Size],
    edges: Mapping[Pair, float],
    chains: Mapping[Pair, Sequence[str]],
    layers: Sequence[Sequence[str]],
    centres: Mapping[str, float],
) -> Layout:
    left = min(centres[name] - sizes[name].width / 2 if name in sizes else centres[name] for name in centres)
    corners: dict[str, Point] = {}
    spans: dict[str, tuple[float, float]] = {}
    top = 0.0
    for names in layers:
        height = max((sizes[name].height for name in names if name in sizes), default=0.0)
        for name in names:
            spans[name] = (top, top + height)
            if name in sizes:
                corners[name] = (centres[name] - sizes[name].width / 2 - left, top)
                spans[name] = (top, top + sizes[name].height)
        top += height + GAP_Y
    ports = _ports(sizes, edges, corners, chains, centres)
    lines: dict[Pair, Sequence[Point]] = {}
    for a, b in (edge for edge in edges if edge[0] != edge[1]):
        chain = chains.get((a, b)) or chains[b, a]
        points = [(ports[chain[0], chain[1], "below"], spans[chain[0]][1])]
        for name in chain[1:-1]:
            points += [(centres[name] - left, y) for y in spans[name]]
        points.append((ports[chain[-1], chain[-2], "above"], spans[chain[-1]][0]))
        lines[a, b] = points if (a, b) in chains else points[::-1]
    width = max(corners[name][0] + sizes[name].width for name in sizes)
    return Layout(
        corners, lines, max(width, *(x for line in lines.values() for x, _ in line), 0.0), top - GAP_Y
    )


def _ports(
    sizes: Mapping[str, Size],
    edges: Mapping[Pair, float],
    corners: Mapping[str, Point],
    chains: Mapping[Pair, Sequence[str]],
    centres: Mapping[str, float],
) -> dict[tuple[str, str, str], float]:
    """The x where each edge meets its boxes: in the order of where it goes, with room for its label."""
    meeting: dict[tuple[str, str], list[tuple[float, str, float]]] = {}
    for (a, b), chain in chains.items():
        below = (centres[chain[1]], chain[1], edges.get((a, b), PASS_WIDTH))
        above = (centres[chain[-2]], chain[-2], edges.get((b, a), PASS_WIDTH))
        meeting.setdefault((a, "below"), []).append(below)
        meeting.setdefault((b, "above"), []).append(above)
    ports: dict[tuple[str, str, str], float] = {}
    for (name, side), others in meeting.items():
        scale = sizes[name].width / sum(room for _, _, room in others)
        x = corners[name][0]
        for _, other, room in sorted(others):
            ports[name, other, side] = x + room * scale / 2
            x += room * scale
    return ports
