"""A browser without scripts: what it reads of a page, and what it would send."""

import pytest

from callcenter.simulator.browser import Form, Page, PageError, read

PAGE = """
<!doctype html><title>Call me</title><style>p {color: red}</style>
<p>Choose <a href="/a?at=soonest">as soon as possible</a> or
<a href="/a?at=2026-11-26T10:00:00Z">10:00</a>.</p>
<form method="post" action="/ask"><input type="hidden" name="key" value="k1">
<input name="number" type="tel">
<select name="language"><option value="en">English<option value="ja" selected>Japanese</select>
<input type="checkbox" name="consent" value="yes"><input type="radio" name="way" value="a">
<input type="radio" name="way" value="b" checked><input name="off" value="x" disabled>
<button name="at" value="soonest">Soonest</button><button name="at" value="10">10</button></form>
<form action="/other"><textarea name="note"></textarea></form><script>alert("no")</script>
"""


def page() -> Page:
    forms, links, text = read(PAGE)
    return Page("http://127.0.0.1/a", 200, forms, links, text)


def test_what_a_person_reads_and_where_links_lead() -> None:
    assert page().text == "Call me Choose as soon as possible or 10:00 . English Japanese Soonest 10"
    assert page().links == ["/a?at=soonest", "/a?at=2026-11-26T10:00:00Z"]


def test_what_a_form_would_send_as_it_came() -> None:
    form = page().form("number")
    assert (form.action, form.method) == ("/ask", "POST")
    assert form.values == {"key": "k1", "number": "", "language": "ja", "way": "b"}
    assert form.choices == {"language": ["en", "ja"], "consent": ["yes"], "way": ["a", "b"]}
    assert form.buttons == [("at", "soonest"), ("at", "10")]


def test_a_form_is_found_by_its_fields() -> None:
    assert page().form("note") == Form("/other", "GET", {"note": ""}, names={"note"})
    assert page().form("key", "at").action == "/ask"
    with pytest.raises(PageError, match="200: there is no form with number, note"):
        page().form("number", "note")
