"""What is wrong with what callers may say: phrases that nobody can tell apart, keys that mean two things,
languages that nobody understands, texts that are missing in one of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ivr.choices import Operator, Phrases, Repeat, in_language, whole
from ivr.faq import FaqText
from ivr.flow import RETURN, Flow
from ivr.graph import Problem, bad_item
from ivr.nodes import Set, prompts_of
from ivr.phrases import matches, units
from ivr.prompt import Item, NamedItem
from ivr.questions import Menu, Question
from ivr.wording import SPOKEN, base

_Place = tuple[str | int, ...]
_Phrase = tuple[_Place, str]
MAX_IN_ONE_MENU = 300


def languages_of(flow: Flow) -> Iterator[tuple[_Place, str]]:
    """The languages that nodes choose, with their places."""
    for name, node in flow.nodes.items():
        if isinstance(node, Set) and node.set_language is not None:
            yield ("nodes", name, "set_language"), node.set_language
        if isinstance(node, Menu):
            for key, choice in node.choices.items():
                if (language := whole(choice).set_language) is not None:
                    yield ("nodes", name, "choices", key, "set_language"), language


def bad_sayings(flow: Flow) -> Iterator[Problem]:
    """Everything that is wrong; every name in the flow must be good."""
    yield from _bad_wishes(flow)
    spoken = [node for node in flow.nodes.values() if isinstance(node, Question) and node.is_spoken]
    listens = bool(spoken) or any(wish is not None and wish.phrases for wish in (flow.operator, flow.repeat))
    languages = [(("language",), flow.language), *languages_of(flow)]
    for place, language in languages:
        if listens and base(language) not in SPOKEN:
            known = " and ".join(SPOKEN)
            yield Problem(place, f"questions can be answered by voice in {known}, not in {language!r}")
    for name, node in flow.nodes.items():
        if isinstance(node, Menu):
            own = _bad_keys(flow, node), _bad_menu(flow, node, [language for _, language in languages])
            for problem in (problem for problems in own for problem in problems):
                yield replace(problem, at=("nodes", name, *problem.at))
        for place, item in prompts_of(node):
            yield from _no_own_text(flow, ("nodes", name, *place), item)
    for name, sound in flow.prompts.items():
        yield from _no_own_text(flow, ("prompts", name), sound)


def missing_texts(flow: Flow) -> Iterator[Problem]:
    """Texts that callers who chose another language hear in the flow's own."""
    chosen = dict.fromkeys(base(language) for _, language in languages_of(flow))
    for language in (one for one in chosen if one != base(flow.language)):
        for name, node in flow.nodes.items():
            for place, item in prompts_of(node):
                if _is_missing(item, flow, language):
                    yield Problem(
                        ("nodes", name, *place), f"no text in {language!r}; {flow.language!r} is heard"
                    )


def bad_faq(flow: Flow, faq: FaqText, variables: frozenset[str]) -> Iterator[Problem]:
    """What is wrong with the answers of a file that a node of the flow uses; places are in that file."""
    names: dict[str, int] = {}
    seen: dict[tuple[str, ...], str] = {}
    for index, answer in enumerate(faq.answers):
        at: _Place = ("answers", index)
        if answer.name in names:
            yield Problem((*at, "name"), f"{answer.name!r} is also the name of answer {names[answer.name]}")
        names[answer.name] = index
        for place, phrase in _listed(answer.questions):
            own = _units(flow, place, phrase)
            if not own:
                yield Problem((*at, "questions", *place), f"{phrase!r} has no word in it")
            if seen.setdefault(own, answer.name) != answer.name:
                text = f"{phrase!r} asks for {answer.name!r} as well as for {seen[own]!r}"
                yield Problem((*at, "questions", *place), text)
        if answer.next is not None and answer.next not in flow.nodes and answer.next != RETURN:
            yield Problem((*at, "next"), f"no such node {answer.next!r} in the flow {flow.name}")
        for number, item in enumerate(answer.answer):
            place = (*at, "answer", number)
            if isinstance(item, NamedItem) and item.prompt not in flow.prompts:
                yield Problem((*place, "prompt"), f"no such prompt {item.prompt!r}")
            yield from bad_item(place, item, flow.folder, variables)
            yield from _no_own_text(flow, place, item)


def _is_missing(item: Item, flow: Flow, language: str) -> bool:
    sound = flow.prompts[item.prompt] if isinstance(item, NamedItem) else item
    return base(sound.in_language(language, flow.language)[1]) != language


def _no_own_text(flow: Flow, at: _Place, item: Item) -> Iterator[Problem]:
    if not isinstance(item, NamedItem) and not item.in_language(flow.language, flow.language)[0]:
        yield Problem(at, f"is missing in the flow's own language {flow.language!r}")


# The operator, and hearing a question again.


def _bad_wishes(flow: Flow) -> Iterator[Problem]:
    for name, wish in (("operator", flow.operator), ("repeat", flow.repeat)):
        if wish is None:
            continue
        if wish.phrases is None and wish.key is None:
            yield Problem((name,), "must have phrases, a key, or both")
        for place, phrase in _listed(wish.phrases):
            if not _units(flow, place, phrase):
                yield Problem((name, "phrases", *place), f"{phrase!r} has no word in it")
        if isinstance(wish, Operator) and wish.next not in flow.nodes and wish.next != RETURN:
            yield Problem((name, "next"), f"no such node {wish.next!r}")
    if flow.operator is None or flow.repeat is None:
        return
    if flow.repeat.key is not None and flow.operator.key == flow.repeat.key:
        yield Problem(("repeat", "key"), f"{flow.repeat.key!r} is also the operator's")
    taken = {_units(flow, place, phrase) for place, phrase in _listed(flow.operator.phrases)}
    for place, phrase in _listed(flow.repeat.phrases):
        if _units(flow, place, phrase) in taken:
            yield Problem(("repeat", "phrases", *place), f"{phrase!r} is also the operator's")


def _bad_keys(flow: Flow, node: Menu) -> Iterator[Problem]:
    if node.operator and flow.operator is not None and flow.operator.key in node.choices:
        text = f"{flow.operator.key!r} is also the operator's; take another key, or write operator: no"
        yield Problem(("choices", str(flow.operator.key)), text)
    if flow.repeat is not None and flow.repeat.key in node.choices:
        yield Problem(("choices", str(flow.repeat.key)), f"{flow.repeat.key!r} is also the key of repeat")


# Phrases of one menu.


def _bad_menu(flow: Flow, node: Menu, languages: list[str]) -> Iterator[Problem]:
    choices = {key: whole(choice).phrases for key, choice in node.choices.items()}
    total = sum(len(list(_listed(phrases))) for phrases in choices.values())
    if total > MAX_IN_ONE_MENU:
        yield Problem(("choices",), f"{total} phrases are too many; at most {MAX_IN_ONE_MENU}")
        return
    wishes: dict[str, Repeat | None] = {"operator": flow.operator if node.operator else None}
    wishes["repeat"] = flow.repeat
    everything = {
        **{f"choice {key}": phrases for key, phrases in choices.items()},
        **{name: wish.phrases for name, wish in wishes.items() if wish is not None},
    }
    for language in dict.fromkeys(map(base, languages)):
        spoken = {name: in_language(phrases, language, flow.language) for name, phrases in everything.items()}
        for key, phrases in choices.items():
            for place, phrase in _listed(phrases):
                if phrase in spoken[f"choice {key}"]:
                    at: _Place = ("choices", key, "phrases", *place)
                    yield from _ambiguous(at, f"choice {key}", phrase, spoken, language)


def _ambiguous(
    at: _Place, own: str, phrase: str, spoken: Mapping[str, tuple[str, ...]], language: str
) -> Iterator[Problem]:
    if not units(phrase, language):
        yield Problem(at, f"{phrase!r} has no word in it")
        return
    found = {match.name: match for match in matches(phrase, 1.0, spoken, language)}
    for name, match in found.items():
        if name != own and match.score >= found[own].score:
            yield Problem(at, f"{phrase!r} means {name} as well as {own}")


def _units(flow: Flow, place: _Place, phrase: str) -> tuple[str, ...]:
    """What is compared of a phrase that stands at ``place`` of a list, or of lists by language."""
    return units(phrase, place[0] if isinstance(place[0], str) else flow.language)


def _listed(phrases: Phrases | None) -> Iterator[_Phrase]:
    """Every phrase with its place."""
    if isinstance(phrases, Mapping):
        for language, some in phrases.items():
            yield from (((language, index), phrase) for index, phrase in enumerate(some))
    else:
        yield from (((index,), phrase) for index, phrase in enumerate(phrases or ()))
