import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr import check, draw
from ivr.layout import Size, lay_out

SVG = "{http://www.w3.org/2000/svg}"
CONFIGS = Path(__file__).parents[3] / "configs" / "ivr"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_flow_and_its_sub_flows_are_drawn() -> None:
    drawn = texts(draw(check(CONFIGS / "main.yaml")))
    main, after = drawn.index("main"), drawn.index("after-hours", drawn.index("goodbye"))
    assert main < after
    for name in ("welcome", "main-menu", "account", "billing", "long-wait", "message", "closed"):
        assert name in drawn[main:after]
    for label in (
        "1 “sales”",
        "9 “opening hours”",
        "“customer service”",
        "office open",
        "else",
        "no input, no match",
        "timeout",
        "key *",
    ):
        assert label in drawn[main:after]
    for name in ("who", "offer", "call-again", "return", "number withheld"):
        assert name in drawn[after:]


@pytest.mark.parametrize("name", ["everything.yaml", "spoken.yaml"])
def test_every_node_and_kind_can_be_drawn(name: str) -> None:
    flow = check(Path(__file__).with_name(name))
    drawn = texts(draw(flow))
    for name, node in flow.nodes.items():
        assert name in drawn
        assert node.kind in drawn


def test_what_can_be_said_is_drawn() -> None:
    drawn = texts(draw(check(Path(__file__).with_name("spoken.yaml"))))
    for text in (
        "1 “english”",
        "“only words”",
        "pin: 2–4 keys or words, ends with #, secret",
    ):
        assert any(text in line for line in drawn), text
    assert any("3 answers of answers.yaml" in line for line in drawn)
    assert any(line.split(", ")[-1] == "operator" for line in drawn)


def test_a_choice_that_leads_back_is_drawn() -> None:
    drawn = texts(draw(check(Path(__file__).with_name("everything.yaml"))))
    assert "↻ 2" in drawn  # a choice that leads back to its own menu


def test_text_is_escaped(write) -> None:
    text = """
    language: en
    start: a
    nodes:
      a: {kind: hangup, prompts: "<script>&\\"'\\u0007 ]]> お電話ありがとうございます。"}
    """
    svg = draw(check(write(text)))
    assert "<script>" not in svg
    assert "<script>&\"'\ufffd ]]>" in " ".join(texts(svg))


def test_a_long_text_is_cut(write) -> None:
    text = "language: en\nstart: a\nnodes:\n  a: {kind: hangup, prompts: " + "word " * 300 + "}\n"
    lines = [line for line in texts(draw(check(write(text)))) if "word" in line]
    assert len(lines) == 4
    assert lines[-1].endswith(" …")


def test_the_drawing_is_the_same_every_time() -> None:
    assert draw(check(CONFIGS / "main.yaml")) == draw(check(CONFIGS / "main.yaml"))


def test_a_long_chain_is_drawn(write) -> None:
    nodes = "".join(f"  n{i}: {{kind: play, prompts: x, next: n{i + 1}}}\n" for i in range(200))
    svg = draw(check(write(f"language: en\nstart: n0\nnodes:\n{nodes}  n200: {{kind: hangup}}\n")))
    assert len(re.findall('class="name"', svg)) == 201


names = st.integers(0, 11).map(lambda number: f"n{number}")


@given(st.lists(st.tuples(names, names), unique=True, max_size=30))
def test_boxes_do_not_overlap_and_lines_end_at_their_boxes(edges: list[tuple[str, str]]) -> None:
    sizes = {f"n{number}": Size(60.0 + 10 * number, 20.0 + number) for number in range(12)}
    layout = lay_out(sizes, dict.fromkeys(edges, 30.0))
    boxes = [(x, y, sizes[name]) for name, (x, y) in layout.corners.items()]
    assert len(boxes) == len(sizes)
    for index, (x, y, size) in enumerate(boxes):
        assert x >= -0.01
        assert x + size.width <= layout.width + 0.01
        assert y + size.height <= layout.height + 0.01
        for other_x, other_y, other in boxes[index + 1 :]:
            beside = x + size.width <= other_x or other_x + other.width <= x
            assert beside or y + size.height <= other_y or other_y + other.height <= y
    assert set(layout.lines) == {edge for edge in edges if edge[0] != edge[1]}
    for edge, line in layout.lines.items():
        for name, (x, y) in zip(edge, (line[0], line[-1]), strict=True):
            left, top = layout.corners[name]
            assert left <= x <= left + sizes[name].width
            assert y == pytest.approx(top) or y == pytest.approx(top + sizes[name].height)
