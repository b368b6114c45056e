"""Paths through a flow, and from one flow to another, that go wrong."""

from itertools import pairwise

import pytest

from ivr import check


def flow(nodes: str) -> str:
    """A flow of these nodes; the first of them stands on line 4."""
    return "language: en\nstart: a\nnodes:\n" + nodes


PATHS = [
    (
        "  a: {kind: play, prompts: x, next: b}\n  b: {kind: play, prompts: y, next: a}",
        "4: node a: the call can never end from here",
    ),
    (
        "  a: {kind: branch, cases: [{caller_withheld: yes, next: b}], else: c}\n"
        "  b: {kind: play, prompts: x, next: b}\n"
        "  c: {kind: hangup}",
        "5: node b: the call can never end from here",
    ),
    (
        "  a: {kind: branch, cases: [{caller_withheld: yes, next: c}], else: b}\n"
        "  b: {kind: set, values: {v: 1}, next: a}\n"
        "  c: {kind: hangup}",
        "4: node a: goes round without input and without time passing: a -> b -> a",
    ),
    (
        "  a: {kind: queue, queue: q, timeout: b, full: b, empty: a, closed: b}\n  b: {kind: hangup}",
        "4: node a: goes round without input and without time passing: a -> a",
    ),
    (
        '  a: {kind: transfer, number: "+12025550100", failed: a}',
        "4: node a: goes round without input and without time passing: a -> a",
    ),
    (
        '  a: {kind: play, prompts: "{caller}", next: b}\n'
        "  b: {kind: branch, cases: [{caller_withheld: yes, next: a}], else: c}\n"
        "  c: {kind: hangup}",
        "4: node a: goes round without input and without time passing: a -> b -> a",
    ),
    (
        "  a: {kind: call, flow: s, next: b}\n"
        "  b: {kind: branch, cases: [{caller_withheld: yes, next: a}], else: return}\n"
        "flows: {s: {start: x, nodes: {x: {kind: set, values: {v: 1}, next: return}}}}",
        "4: node a: goes round without input and without time passing: a -> b -> a",
    ),
    (
        "  a: {kind: call, flow: s, next: b}\n"
        "  b: {kind: hangup}\n"
        "flows: {s: {start: x, nodes: {x: {kind: hangup}}}}",
        "4: node a: next: is never reached: flow s does not return",
    ),
    (
        "  a: {kind: call, flow: s, next: b}\n"
        "  b: {kind: play, prompts: x, next: a}\n"
        "flows: {s: {start: x, nodes: {x: {kind: play, prompts: x, next: return}}}}",
        "4: node a: the call can never end from here",
    ),
    (
        "  a: {kind: call, flow: s, next: return}\n"
        "flows: {s: {start: x, nodes: {x: {kind: call, flow: t, next: return}}},\n"
        "        t: {start: y, nodes: {y: {kind: call, flow: s, next: return}}}}",
        "6: node t/y: flow: a flow cannot call itself: flow.yaml/s -> flow.yaml/t -> flow.yaml/s",
    ),
]


@pytest.mark.parametrize(("nodes", "message"), PATHS, ids=[case[1] for case in PATHS])
def test_a_path_that_goes_wrong(write, nodes: str, message: str, error_of) -> None:
    assert error_of(write(flow(nodes))) == f"flow.yaml:{message}"


@pytest.mark.parametrize(
    "nodes",
    [
        # a loop in which the caller waits, hears something or presses a key is none of our business
        "  a: {kind: queue, queue: q, timeout: a, full: b, empty: b, closed: b}\n  b: {kind: hangup}",
        "  a: {kind: menu, choices: {1: a}, no_input: {next: return}, no_match: {next: a}}",
        "  a: {kind: play, prompts: x, next: b}\n"
        "  b: {kind: branch, cases: [{caller_withheld: yes, next: a}], else: return}",
        "  a: {kind: call, flow: s, next: b}\n"
        "  b: {kind: branch, cases: [{caller_withheld: yes, next: a}], else: return}\n"
        "flows: {s: {start: x, nodes: {x: {kind: play, prompts: x, next: return}}}}",
        # a sub-flow that never returns, and one called from two places
        "  a: {kind: call, flow: s}\nflows: {s: {start: x, nodes: {x: {kind: hangup}}}}",
        "  a: {kind: call, flow: s, next: b}\n  b: {kind: call, flow: s, next: return}\n"
        "flows: {s: {start: x, nodes: {x: {kind: play, prompts: x, next: return}}}}",
    ],
)
def test_a_path_that_is_allowed(write, nodes: str) -> None:
    assert check(write(flow(nodes)))


def test_files_that_call_each_other(write, error_of) -> None:
    path = write(flow("  a: {kind: call, file: b.yaml, next: return}"), "a.yaml")
    write(flow("  a: {kind: call, file: a.yaml, next: return}"), "b.yaml")
    assert error_of(path) == "b.yaml:4: node a: file: a flow cannot call itself: a.yaml -> b.yaml -> a.yaml"


def test_a_mistake_in_a_file_that_is_called_names_that_file(write, error_of) -> None:
    path = write(flow("  a: {kind: call, file: b.yaml, next: return}"), "a.yaml")
    write(flow("  a: {kind: hangup, prompts: {wav: gone.wav}}"), "b.yaml")
    assert error_of(path) == "b.yaml:4: node a: prompts.wav: no such file 'gone.wav'"


def test_sub_flows_nested_too_deep(write, error_of) -> None:
    names = [f"s{number}" for number in range(20)]
    flows = "".join(
        f"  {name}: {{start: x, nodes: {{x: {{kind: call, flow: {after}, next: return}}}}}}\n"
        for name, after in pairwise(names)
    )
    last = "  s19: {start: x, nodes: {x: {kind: play, prompts: x, next: return}}}\n"
    text = flow("  a: {kind: call, flow: s0, next: return}\n") + "flows:\n" + flows + last
    assert error_of(write(text)) == "flow.yaml:20: node s14/x: flow: sub-flows are nested more than 16 deep"
