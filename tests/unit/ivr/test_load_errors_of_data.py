"""Mistakes in what flows ask: other systems, callers' consent, surveys, closures."""

import pytest

from ivr import FlowError, check

GOOD = """\
language: en
start: told
nodes:
  told:
    kind: consent
    prompts: We record this call.
    record: ask
    next: crm
  crm:
    kind: lookup
    method: post
    url: "https://crm.example.com/callers/{caller}"
    headers:
      Authorization: {env: CRM_TOKEN}
    body:
      number: "{caller}"
    into:
      customer: $.customer.name
    next: where
    failed: where
  where:
    kind: branch
    cases:
      - closed: true
        next: bye
      - variable: caller_known
        equals: "yes"
        next: wait
    else: wait
  wait:
    kind: queue
    queue: sales
    answered: survey
    timeout: bye
    empty: bye
    full: bye
    closed: bye
  survey:
    kind: survey
    share: 0.3
    prompts: Press 2 to skip.
    decline: 2
    questions:
      - {id: happy, kind: csat, prompt: From 1 to 5}
      - {id: why, kind: words, prompt: Tell us why}
    next: bye
  bye:
    kind: hangup
    prompts: Goodbye {customer}.
"""
HOSTS = {"crm.example.com"}
MISTAKES = [
    ("record: ask", "record: maybe", "7: node told: record: Input should be 'always', 'ask' or 'never'"),
    ("record: ask", "record: ask\n    refuse: 1", "8: node told: refuse: 1 is also the key that accepts"),
    (
        "record: ask",
        "record: always\n    refused: bye",
        "8: node told: refused: is never reached: record is always",
    ),
    ("record: ask", "record: ask\n    refused: by", "8: node told: refused: no such node 'by'"),
    (
        "record: ask",
        "record: ask\n    attempts: 0",
        "8: node told: attempts: Input should be greater than or equal to 1",
    ),
    (
        "https://crm.example.com/",
        "https://10.0.0.1/",
        "12: node crm: url: the host '10.0.0.1' is not one of the lookup hosts",
    ),
    (
        "https://crm.example.com/",
        "https://crm.example.com:8443/",
        "12: node crm: url: the host 'crm.example.com:8443' is not one of the lookup hosts",
    ),
    *[
        (
            "https://crm.example.com/callers/{caller}",
            url,
            "12: node crm: url: must begin with http:// or https:// and a host without variables",
        )
        for url in (
            "ftp://crm.example.com/",
            "https://{caller}.example.com/",
            "https://crm.example.com{caller}/",
            "https://user:word@crm.example.com/",
            "https:///callers",
            "crm.example.com",
        )
    ],
    ('{caller}"\n    headers', '{number}"\n    headers', "12: node crm: url: no such variable 'number'"),
    ("com/callers", "com/call ers", "12: node crm: url: the character ' ' is not allowed"),
    ("com/callers", "com/callers#", "12: node crm: url: the character '#' is not allowed"),
    ("com/callers", "com:0/callers", "12: node crm: url: there is no port 0"),
    (
        '{caller}"\n    headers',
        '{caller|digits}"\n    headers',
        "12: node crm: url: the variable 'caller' cannot be read digit by digit here",
    ),
    ("method: post", "method: get", "15: node crm: body: needs method: post"),
    ("method: post", "timeout_s: 11", "11: node crm: timeout_s: Input should be less than or equal to 10"),
    (
        "{env: CRM_TOKEN}",
        "{env: CRM-TOKEN}",
        "14: node crm: headers.Authorization.env: "
        "String should match pattern '^[A-Za-z_][A-Za-z0-9_]{0,126}$'",
    ),
    ("{env: CRM_TOKEN}", "{secret: x}", "14: node crm: headers.Authorization: must be a text or have env"),
    (
        'number: "{caller}"',
        'number: "{calller}"',
        "15: node crm: body: no such variable 'calller'",
    ),
    (
        'number: "{caller}"',
        'number: "{caller"',
        "15: node crm: body: a lone '{'; write {name} for a variable, '{{' for a brace",
    ),
    (
        "$.customer.name",
        "customer.name",
        "18: node crm: into.customer: String should match pattern '^\\$(\\.[A-Za-z0-9_-]{1,63}){1,10}$'",
    ),
    (
        "customer: $",
        "caller_known: $",
        "18: node crm: into.caller_known: caller_known is set by the call and cannot be changed",
    ),
    ("    failed: where\n", "", "9: node crm: failed: is missing"),
    (
        "failed: where",
        "failed: crm",
        "9: node crm: goes round without input and without time passing: crm -> crm",
    ),
    (
        "- closed: true",
        "- closed: maybe",
        "24: node where: cases.0.closed: Input should be a valid boolean, unable to interpret input",
    ),
    ("caller_known", "caller_knwon", "26: node where: cases.1.variable: no such variable 'caller_knwon'"),
    ("answered: survey", "answered: survy", "33: node wait: answered: no such node 'survy'"),
    ("share: 0.3", "share: 30", "40: node survey: share: Input should be less than or equal to 1"),
    (
        "    prompts: Press 2 to skip.\n",
        "",
        "38: node survey: prompts: is missing: what offers the survey",
    ),
    ("decline: 2", "decline: 22", "42: node survey: decline: String should match pattern '^[0-9*#]$'"),
    (
        "kind: csat",
        "kind: stars",
        "44: node survey: questions.0.kind: Input should be 'csat', 'nps', 'yes_no' or 'words'",
    ),
    (
        "id: why",
        "id: happy",
        "45: node survey: questions.1.id: 'happy' is also the id of an earlier question",
    ),
    (
        "prompt: Tell us why",
        "prompt: {prompt: why}",
        "45: node survey: questions.1.prompt.prompt: no such prompt 'why'",
    ),
    ("prompt: Tell us why", "prompt: []", "45: node survey: questions.1.prompt: must not be empty"),
]


def test_the_flow_with_lookup_consent_and_survey_is_good(write) -> None:
    assert list(check(write(GOOD), {"sales"}, None, HOSTS).nodes) == [
        "told",
        "crm",
        "where",
        "wait",
        "survey",
        "bye",
    ]
    assert check(write(GOOD), {"sales"})  # nobody knows the hosts


@pytest.mark.parametrize(("there", "instead", "message"), MISTAKES, ids=[f"{case[1]}" for case in MISTAKES])
def test_a_mistake_about_what_is_asked_is_one_line(write, there: str, instead: str, message: str) -> None:
    assert there in GOOD
    path = write(GOOD.replace(there, instead, 1))
    with pytest.raises(FlowError) as caught:
        check(path, {"sales"}, None, HOSTS)
    assert str(caught.value) == f"{path}:{message}"


def test_a_lookup_needs_a_host_that_the_settings_name(write) -> None:
    with pytest.raises(
        FlowError, match=r"12: node crm: url: the host 'crm\.example\.com' is not one of the lookup hosts"
    ):
        check(write(GOOD), {"sales"}, None, [])
