"""Every mistake in a flow file is answered with one line that says where it is and what it is."""

import pytest

from ivr import FlowError, check

GOOD = """\
language: en
start: hello
variables: {tier: ""}
prompts:
  thanks: Thank you.
hours:
  office:
    zone: Europe/Berlin
    weekly:
      - {days: mon-fri, from: "9:00", to: "17:00"}
    holidays: [2025-12-25]
nodes:
  hello:
    kind: play
    prompts:
      - Hello.
      - prompt: thanks
    next: ask
  ask:
    kind: menu
    prompts: Choose.
    choices:
      1: number
      2: wait
    no_input:
      next: bye
    no_match:
      next: bye
  number:
    kind: gather
    variable: account
    min_length: 3
    max_length: 6
    no_input: {next: bye}
    no_match: {next: bye}
    next: where
  where:
    kind: branch
    cases:
      - hours: office
        next: wait
      - variable: tier
        equals: gold
        next: wait
    else: bye
  wait:
    kind: queue
    queue: sales
    timeout: over
    empty: bye
    full: bye
    closed: bye
  over:
    kind: transfer
    number: "+12025550100"
    failed: box
  box:
    kind: voicemail
    mailbox: sales
    next: sub
  sub:
    kind: call
    flow: survey
    next: bye
  bye:
    kind: hangup
flows:
  survey:
    start: rate
    nodes:
      rate:
        kind: play
        prompts: Rate us.
        next: mark
      mark:
        kind: set
        values:
          rated: "{account}"
        next: return
"""


def test_the_flow_that_the_mistakes_are_made_in_is_good(write) -> None:
    flow = check(write(GOOD), {"sales"})
    assert list(flow.nodes) == ["hello", "ask", "number", "where", "wait", "over", "box", "sub", "bye"]


KINDS = (
    "play, menu, gather, branch, set, queue, voicemail, transfer, hangup, call, lookup, consent, survey, faq"
)
CASES = "hours, variable, caller_prefix, caller_withheld, closed"
MISTAKES = [
    # what stands there, what is put there instead, the error
    ("start: hello", "start: hallo", "2: start: no such node 'hallo'"),
    ("start: hello\n", "", "1: start: is missing"),
    (
        "language: en",
        "language: '?'",
        "1: language: String should match pattern '^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$'",
    ),
    ("language: en", "language: en\nlangauge: de", "2: langauge: unknown key"),
    ("    next: ask", "    next: ask\n    nxt: ask", "19: node hello: nxt: unknown key"),
    ("    next: ask", "    next: ask\n    next: bye", "19: the key 'next' is already on line 18"),
    ("    next: ask", "    next: aks", "18: node hello: next: no such node 'aks'"),
    ("    next: ask\n", "", "13: node hello: next: is missing"),
    (
        "kind: play\n    prompts:\n      -",
        "kind: say\n    prompts:\n      -",
        f"14: node hello: kind: must be one of {KINDS}",
    ),
    (
        "    kind: hangup\n",
        "    reason: full\n",
        f"65: node bye: kind: must be one of {KINDS}",
    ),
    ("  bye:\n    kind: hangup\n", "  bye: hangup\n", "65: node bye: must hold keys and values"),
    (
        "kind: hangup",
        "kind: hangup\n    reason: rude",
        "67: node bye: reason: Input should be 'completed', 'closed', 'full' or 'timed_out'",
    ),
    ("  bye:\n", "  return:\n", "65: node return: a node cannot be named return"),
    (
        "- Hello.",
        "- {txt: Hello.}",
        "16: node hello: prompts.0: must be a text or have one of text, wav, prompt",
    ),
    ("- Hello.", "- {text: Hello., wav: a.wav}", "16: node hello: prompts.0.wav: unknown key"),
    ("- Hello.", "- Hello {name}.", "16: node hello: prompts.0: no such variable 'name'"),
    (
        "- Hello.",
        "- Hello {tier.",
        "16: node hello: prompts.0.text: a lone '{'; write {name} for a variable, '{{' for a brace",
    ),
    (
        "- Hello.",
        "- Hello {tier|loud}",
        "16: node hello: prompts.0.text: no such filter 'loud'; there is only 'digits'",
    ),
    ("- Hello.", "- wav: hello.wav", "16: node hello: prompts.0.wav: no such file 'hello.wav'"),
    ("prompt: thanks", "prompt: thx", "17: node hello: prompts.1.prompt: no such prompt 'thx'"),
    ("thanks: Thank you.", "thanks: {wav: t.wav}", "5: prompts.thanks.wav: no such file 't.wav'"),
    ("thanks: Thank you.", "thanks: Thanks {you}", "5: prompts.thanks: no such variable 'you'"),
    (
        "thanks: Thank you.",
        "thanks: {prompt: a}",
        "5: prompts.thanks: must be a text or have one of text, wav",
    ),
    ("1: number", "12: number", "23: node ask: choices.12: '12' is not one of 0-9, * and #"),
    ("1: number", "A: number", "23: node ask: choices.A: 'A' is not one of 0-9, * and #"),
    ("1: number", "1: numbr", "23: node ask: choices.1: no such node 'numbr'"),
    ("prompts: Choose.", "attempts: 0", "21: node ask: attempts: Input should be greater than or equal to 1"),
    ("prompts: Choose.", "timeout_s: -1", "21: node ask: timeout_s: Input should be greater than 0"),
    ("prompts: Choose.", "timeout_s: nan", "21: node ask: timeout_s: Input should be a finite number"),
    (
        "prompts: Choose.",
        "timeout_s: soon",
        "21: node ask: timeout_s: Input should be a valid number, unable to parse string as a number",
    ),
    (
        "prompts: Choose.",
        "barge_in: maybe",
        "21: node ask: barge_in: Input should be a valid boolean, unable to interpret input",
    ),
    ("    no_input:\n      next: bye\n", "", "19: node ask: no_input: is missing"),
    (
        "      next: bye\n    no_match",
        "      next: by\n    no_match",
        "26: node ask: no_input.next: no such node 'by'",
    ),
    ("min_length: 3", "length: 4", "33: node number: max_length: cannot stand beside length"),
    ("max_length: 6", "max_length: 2", "33: node number: max_length: 2 is less than the least length, 3"),
    (
        "min_length: 3",
        'terminator: "5"',
        "32: node number: terminator: '5' is also one of the digits 0123456789",
    ),
    ("min_length: 3", 'digits: "123#"', "29: node number: terminator: '#' is also one of the digits 123#"),
    ("min_length: 3", "terminator: x", "32: node number: terminator: 'x' is not one of 0-9, * and #"),
    (
        "min_length: 3",
        "digits: 11",
        "32: node number: digits: '11' must be different keys out of 0-9, * and #",
    ),
    (
        "variable: account",
        "variable: caller",
        "31: node number: variable: caller is set by the call and cannot be changed",
    ),
    ("- hours: office", "- hours: offce", "40: node where: cases.0.hours: no such hours 'offce'"),
    (
        "- hours: office",
        "- day: mon",
        f"40: node where: cases.0: must have one of {CASES}",
    ),
    ("- variable: tier", "- variable: teir", "42: node where: cases.1.variable: no such variable 'teir'"),
    ("equals: gold", "eqals: gold", "43: node where: cases.1.eqals: unknown key"),
    (
        "equals: gold",
        "equals: g\n        in: [a]",
        "42: node where: cases.1: must have exactly one of equals, in, prefix",
    ),
    ("    else: bye", "    else: bey", "45: node where: else: no such node 'bey'"),
    ("queue: sales", "queue: salse", "48: node wait: queue: no such queue 'salse'"),
    ("    timeout: over\n", "", "46: node wait: timeout: is missing"),
    (
        "    timeout: over",
        '    timeout: over\n    exit_key: "*"',
        "46: node wait: key: is missing: the target of exit_key",
    ),
    (
        "    timeout: over",
        "    timeout: over\n    key: bye",
        "46: node wait: exit_key: is missing: the key that leads to the target key",
    ),
    (
        'number: "+12025550100"',
        "number: tel:1",
        "55: node over: number: String should match pattern '^\\+?[0-9]{2,20}$'",
    ),
    ("flow: survey", "flow: survy", "63: node sub: flow: no such flow 'survy'"),
    ("flow: survey", "file: survey.yaml", "63: node sub: file: no such file 'survey.yaml'"),
    ("flow: survey", "flow: survey\n    file: a", "61: node sub: must have exactly one of flow, file"),
    (
        "    flow: survey\n    next: bye",
        "    flow: survey",
        "61: node sub: next: is missing, and flow survey can return",
    ),
    ("        next: mark", "        next: bye", "74: node survey/rate: next: no such node 'bye'"),
    (
        'rated: "{account}"',
        'called: "1"',
        "78: node survey/mark: values.called: called is set by the call and cannot be changed",
    ),
    (
        'rated: "{account}"',
        'rated: "{acount}"',
        "78: node survey/mark: values.rated: no such variable 'acount'",
    ),
    (
        "zone: Europe/Berlin",
        "zone: Europe/Bonn",
        "8: hours.office.zone: no such time zone 'Europe/Bonn'; use an IANA name such as Europe/Berlin",
    ),
    (
        "zone: Europe/Berlin",
        "zone: Europe",
        "8: hours.office.zone: no such time zone 'Europe'; use an IANA name such as Europe/Berlin",
    ),
    (
        "zone: Europe/Berlin",
        "zone: ../../etc",
        "8: hours.office.zone: no such time zone '../../etc'; use an IANA name such as Europe/Berlin",
    ),
    (
        'to: "17:00"',
        'to: "08:00"',
        "10: hours.office.weekly.0.to: 08:00 is not after 09:00; split a night at 24:00",
    ),
    ('to: "17:00"', 'to: "24:01"', "10: hours.office.weekly.0.to: '24:01' is not between 00:00 and 24:00"),
    ('to: "17:00"', 'to: "5 pm"', "10: hours.office.weekly.0.to: '5 pm' is not a time of day such as 09:30"),
    (
        "days: mon-fri",
        "days: mon-fry",
        "10: hours.office.weekly.0.days: 'mon-fry' is not a day or a range of days such as mon-fri",
    ),
    (
        "days: mon-fri",
        'days: "mon-fri,tue"',
        "10: hours.office.weekly.0.days: 'mon-fri,tue' names a day twice",
    ),
    (
        "    holidays:",
        '      - {days: fri-sun, from: "16:59", to: "18:00"}\n    holidays:',
        "11: hours.office.weekly.1: 16:59-18:00 overlaps 09:00-17:00 on fri",
    ),
    (
        "[2025-12-25]",
        "[2025-12-32]",
        "11: hours.office.holidays.0.from: Input should be a valid date or datetime, "
        "day value is outside expected range",
    ),
    (
        "[2025-12-25]",
        "[{from: 2025-12-25, to: 2025-12-24}]",
        "11: hours.office.holidays.0.to: 2025-12-24 is before 2025-12-25",
    ),
    ("\nflows:", "\n  lost:\n    kind: hangup\nflows:", "67: node lost: is never reached"),
    (
        "\nflows:",
        "\nflows:\n  idle: {start: a, nodes: {a: {kind: hangup}}}",
        "68: flows.idle: is never called",
    ),
    ("nodes:\n  hello", "nodes: hello\nnodez:\n  hello", "12: nodes: must hold keys and values"),
    (
        "    prompts:\n      - Hello.\n      - prompt: thanks\n",
        "    prompts: {}\n",
        "15: node hello: prompts: must be a text or have one of text, wav, prompt",
    ),
    (
        "    prompts:\n      - Hello.\n      - prompt: thanks\n",
        "    prompts: []\n",
        "15: node hello: prompts: must not be empty",
    ),
    (
        "    choices:\n      1: number\n      2: wait\n",
        "    choices: {}\n",
        "22: node ask: choices: must not be empty",
    ),
    ("queue: sales", "queue: [sales]", "48: node wait: queue: must be text"),
    (
        "    cases:\n      - hours: office\n        next: wait\n",
        "    cases: hours\n    rest:\n",
        f"39: node where: cases: must have one of {CASES}",
    ),
]


@pytest.mark.parametrize(("there", "instead", "message"), MISTAKES, ids=[case[2] for case in MISTAKES])
def test_a_mistake_is_one_line_that_says_where(
    write, there: str, instead: str, message: str, error_of
) -> None:
    assert there in GOOD
    assert error_of(write(GOOD.replace(there, instead, 1)), {"sales"}) == f"flow.yaml:{message}"


def test_any_queue_will_do_when_nobody_knows_the_queues(write) -> None:
    assert check(write(GOOD.replace("queue: sales", "queue: other")))


def test_an_error_stays_on_one_line_whatever_the_names(write, error_of) -> None:
    message = error_of(write(GOOD.replace("  bye:\n", '  "b\\ne\\u2028":\n')))
    assert message.startswith("flow.yaml:65: node b\ufffde\ufffd: String should match pattern ")


def test_the_parts_of_an_error_can_be_had_one_by_one(write) -> None:
    path = write(GOOD.replace("reason", "x").replace("next: ask", "next: aks"))
    with pytest.raises(FlowError) as caught:
        check(path)
    error = caught.value
    assert (error.path, error.line, error.node, error.field) == (path, 18, "hello", "next")
    assert error.problem == "no such node 'aks'"
