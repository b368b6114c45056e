"""Short conversations between a caller and an agent that make sense from greeting to goodbye.

Each turn is one sentence of the grammar; what a conversation narrows is only the choice within slots.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

from callcenter.simulator.grammar import expand, spoken
from callcenter.simulator.phrases import SLOTS

MAX_SPOKEN_WORDS = 12
"""About 4 s at an ordinary pace."""


class Speaker(StrEnum):
    """Who says a turn."""

    AGENT = "agent"
    CALLER = "caller"


class Topic(StrEnum):
    """What a call is about; each is the name of the queue that serves it."""

    SALES = "sales"
    SUPPORT = "support"
    BILLING = "billing"


@dataclass(frozen=True, slots=True)
class Turn:
    """One sentence of one party."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True)
class _Story:
    """What may be said about a topic, and the slots that keep it sensible."""

    problems: tuple[str, ...]
    request: str
    solutions: tuple[str, ...]
    slots: dict[str, tuple[str, ...]]


_GREETINGS = (
    "{greeting}, this is {first} from {company}. How may I help you?",
    "{greeting}, you are speaking with {first}. What can I do for you today?",
    "{greeting}, my name is {first} {last}.",
    "{greeting}, my name is {first} {last}.",
)
_NUMBERS = ("My {kind} number is {digits:4}.", "Sure, it is {digits:4}.", "It's {digits:4}.")
_MORE = "Is there anything else I can help you with?"
_NO_MORE = ("No, that's all.", "No, thank you.", "Thanks for your help. Goodbye.")
_THANKS = ("Thank you very much.", "Thanks for your help. Goodbye.", "Great, thank you so much.")

_COMPANIES = ("Acme", "Global Bank", "City Energy", "customer service")
_PAST = ("yesterday", "last week", "last month", "two days ago", "this morning", "on {day}")
_FUTURE = ("tomorrow", "tomorrow", "next week", "this afternoon", "on {day}")
_DOLLARS = ("{tens} dollars", "{tens} {unit} dollars", "{teen} dollars")

_STORIES = {
    Topic.SALES: _Story(
        problems=(
            "I want to {action} {object}.",
            "I need to {action} {object} {when}.",
            "{greeting}, I would like to {action} {object}, please.",
            "How much does the {adjective} {item} cost?",
            "Could you please {action} {object}?",
        ),
        request="Can I have your {kind} number, please?",
        solutions=(
            "I can offer you {count} percent off your next {item}.",
            "I will send you a {adjective} {item} tomorrow.",
            "Your {item} will arrive on {day}, {month} {ordinal}.",
        ),
        slots={
            "action": ("renew", "upgrade", "extend", "review"),
            "item": ("contract", "plan", "subscription", "phone", "service"),
            "object": ("my {item}", "my {adjective} {item}"),
            "adjective": ("new", "current", "monthly", "business", "personal"),
            "kind": ("customer", "account", "phone"),
            "count": ("ten", "fifteen", "twenty", "thirty"),
        },
    ),
    Topic.SUPPORT: _Story(
        problems=(
            "{thing} {problem} since {day}.",
            "{thing} {problem} and I need help.",
            "{greeting}, I am calling because {thing} {problem}.",
            "I already restarted the {item} and it still {still_problem}.",
        ),
        request="Can I have your {kind} number, please?",
        solutions=(
            "Please restart your {item} and wait {duration}.",
            "Please unplug the {item}, wait {duration} and plug it in again.",
            "A technician will visit you tomorrow between {hour} and {hour}.",
        ),
        slots={
            "item": ("router", "modem"),
            "thing": ("my internet", "my phone line", "the wifi", "my {item}", "the signal"),
            "problem": ("is not working", "is very slow", "keeps dropping", "is down", "shows an error"),
            "duration": ("ten minutes", "thirty seconds", "a few minutes", "two hours"),
            "kind": ("serial", "customer", "ticket"),
            "hour": ("two", "three", "five", "nine", "ten"),
        },
    ),
    Topic.BILLING: _Story(
        problems=(
            "Why was I charged {amount} {when}?",
            "I was charged {amount} instead of {amount}.",
            "I did not make that payment.",
            "{thing} {problem} and I need help.",
            "I would like a refund of {amount}.",
        ),
        request="May I have your full name and {kind} number?",
        solutions=(
            "I can offer you a refund of {amount}.",
            "I have sent a confirmation to your email address.",
            "The refund will take {duration}.",
        ),
        slots={
            "amount": _DOLLARS,
            "when": _PAST,
            "thing": ("my invoice", "my bill", "my statement", "my {adjective} bill"),
            "problem": ("is wrong", "was charged twice", "is late", "has not arrived"),
            "adjective": ("monthly", "annual", "previous", "final"),
            "duration": ("two weeks", "a week", "three to five business days"),
            "kind": ("account", "invoice", "customer"),
        },
    ),
}


def dialogue(rng: random.Random, topic: Topic) -> list[Turn]:
    """Three to five turns: greeting, problem, then number, solution or thanks as there is room."""
    story = _STORIES[topic]
    item = rng.choice(story.slots.get("item", SLOTS["item"]))
    slots = SLOTS | {"when": _FUTURE, "company": _COMPANIES} | story.slots | {"item": (item,)}

    def say(speaker: Speaker, *templates: str) -> Turn:
        return Turn(speaker, _short(templates, rng, slots))

    opening = [say(Speaker.AGENT, *_GREETINGS), say(Speaker.CALLER, *story.problems)]
    solution = say(Speaker.AGENT, *story.solutions)
    match rng.randrange(4):
        case 0:
            return [*opening, solution]
        case 1:
            return [*opening, solution, say(Speaker.CALLER, *_THANKS)]
        case 2:
            number = say(Speaker.CALLER, *_NUMBERS)
            return [*opening, say(Speaker.AGENT, story.request), number, solution]
        case _:
            return [*opening, solution, say(Speaker.AGENT, _MORE), say(Speaker.CALLER, *_NO_MORE)]


def _short(templates: tuple[str, ...], rng: random.Random, slots: dict[str, tuple[str, ...]]) -> str:
    """A choice that can be said in about 4 s; the shortest of some tries where none can."""
    tries = [expand(rng.choice(templates), rng, slots) for _ in range(8)]
    for text in tries:
        if len(spoken(text).split()) <= MAX_SPOKEN_WORDS:
            return text
    return min(tries, key=len)
