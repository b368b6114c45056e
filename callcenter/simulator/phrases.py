"""What people say to a call center, as data: slots and sentence templates.

``{name}`` stands for any choice of the slot ``name``, ``{digits:4}`` for four digits, ``{your_object}``
for a choice of ``object`` seen from the other side ("my bill" becomes "your bill"). The bundled speech
model was trained on exactly these sentences, so simulated people say nothing else.
"""


def _choices(text: str) -> tuple[str, ...]:
    return tuple(choice.strip() for choice in text.split("|"))


SLOTS: dict[str, tuple[str, ...]] = {
    name: _choices(text)
    for name, text in {
        "first": (
            "James | Mary | John | Linda | Robert | Susan | Michael | Karen | David | Lisa | Daniel | "
            "Nancy | Mark | Emma | Paul | Anna | George | Laura | Kevin | Alice | Brian | Julia | "
            "Peter | Helen | Thomas | Sarah | Simon | Rachel | Oliver | Sophie"
        ),
        "last": (
            "Smith | Johnson | Brown | Taylor | Wilson | Davis | Clark | Walker | Hall | Young | King "
            "| Wright | Green | Baker | Adams | Parker | Cook | Morgan | Cooper | Reed | Bailey | "
            "Kelly | Howard | Ward | Watson | Brooks | Bennett | Foster | Miller | Turner"
        ),
        "company": (
            "Acme Support | Northwind Telecom | Global Bank | City Energy | Blue River Insurance | "
            "Acme | Northwind | our support line | customer service | technical support | the billing "
            "department"
        ),
        "month": (
            "January | February | March | April | May | June | July | August | September | October | "
            "November | December"
        ),
        "day": "Monday | Tuesday | Wednesday | Thursday | Friday | Saturday | Sunday",
        "ordinal": (
            "first | second | third | fourth | fifth | sixth | seventh | eighth | ninth | tenth | "
            "eleventh | twelfth | thirteenth | fourteenth | fifteenth | sixteenth | seventeenth | "
            "eighteenth | nineteenth | twentieth | twenty first | twenty second | twenty third | "
            "twenty fourth | twenty fifth | thirtieth | thirty first"
        ),
        "when": (
            "today | tomorrow | yesterday | this morning | this afternoon | this evening | tonight | "
            "last night | last week | next week | last {day} | next {day} | on {day} | on {month} "
            "{ordinal} | two days ago | an hour ago | last month | next month | over the weekend | in "
            "the morning | in the afternoon | before noon | after {hour} | at {hour}"
        ),
        "hour": (
            "one | two | three | four | five | six | seven | eight | nine | ten | eleven | twelve | "
            "nine thirty | ten thirty | two fifteen | three forty five | four thirty | eleven fifteen "
            "| noon | five o'clock | six o'clock | eight o'clock"
        ),
        "teen": (
            "ten | eleven | twelve | thirteen | fourteen | fifteen | sixteen | seventeen | eighteen | "
            "nineteen"
        ),
        "tens": "twenty | thirty | forty | fifty | sixty | seventy | eighty | ninety",
        "unit": "one | two | three | four | five | six | seven | eight | nine",
        "count": "{unit} | {teen} | {tens} | {tens} {unit} | {tens} {unit}",
        "amount": (
            "{count} dollars | {count} dollars and {count} cents | one hundred dollars | {unit} "
            "hundred dollars | {unit} hundred and {count} dollars | {count} euros | {count} pounds | "
            "{unit} thousand dollars | {count} percent"
        ),
        "item": (
            "order | package | delivery | shipment | invoice | bill | refund | payment | contract | "
            "subscription | account | card | router | modem | phone | laptop | ticket | booking | "
            "reservation | policy | claim | statement | plan | service | replacement | return | "
            "device | receipt | voucher | deposit"
        ),
        "adjective": (
            "new | old | wrong | damaged | broken | missing | late | second | first | monthly | "
            "annual | current | previous | final | original | prepaid | business | personal"
        ),
        "problem": (
            "is not working | is down | is very slow | keeps dropping | stopped working | has not "
            "arrived | is still missing | is late | was damaged | is broken | was charged twice | was "
            "cancelled | is locked | has expired | is wrong | does not turn on | shows an error | "
            "never arrived | is out of stock | was declined | is on hold | is still pending"
        ),
        "thing": (
            "my internet | the internet connection | my phone line | my account | my {adjective} "
            "{item} | my {item} | the {adjective} {item} | the {item} | the website | the mobile app "
            "| my password | my credit card | the wifi | the power | my email | the signal | my "
            "television"
        ),
        "action": (
            "cancel | change | check | return | upgrade | renew | confirm | track | pay | close | "
            "open | update | replace | activate | review | dispute | report | extend"
        ),
        "object": (
            "my {item} | the {item} | my {adjective} {item} | the {adjective} {item} | a {adjective} "
            "{item} | my address | my phone number | my email address | my password | my appointment "
            "| my delivery date | my payment method | my direct debit | my credit card | a charge | a "
            "problem"
        ),
        "kind": (
            "order | account | reference | tracking | customer | invoice | ticket | policy | case | "
            "confirmation | member | serial | phone | card | booking | claim"
        ),
        "number": (
            "{digits:3} | {digits:4} | {digits:5} | {digits:6} | {digits:7} | {digits:8} | {digits:10}"
        ),
        "department": (
            "billing | sales | technical support | customer service | the returns department | the "
            "claims department | accounts | the front desk | reception | a supervisor | a manager | "
            "an operator | an agent | a representative | a specialist | your colleague"
        ),
        "polite": "please | thank you | thanks | if you don't mind | if possible",
        "greeting": "Hello | Hi | Good morning | Good afternoon | Good evening | Hi there | Hey",
        "title": "Mr | Mrs | Miss | Doctor | sir | madam",
        "feeling": (
            "very unhappy | really disappointed | quite happy | very frustrated | satisfied | not "
            "satisfied | a little confused | so sorry | very grateful | angry | worried"
        ),
        "duration": (
            "{unit} minutes | ten minutes | a few minutes | about {count} minutes | an hour | two "
            "hours | {unit} days | {unit} weeks | a week | two weeks | a month | twenty four hours | "
            "forty eight hours | three to five business days | a moment | thirty seconds"
        ),
        "menu": (
            "sales | billing | support | technical support | orders | returns | payments | new "
            "customers | all other questions | opening hours | a callback | English | Spanish | "
            "Japanese | account information | the main menu | delivery status | internet problems | "
            "phone problems"
        ),
        "part_of_day": "today | this morning | this afternoon | this evening",
        "still_problem": (
            "does not work | is not working | shows an error | does not turn on | keeps dropping"
        ),
        "items": (
            "orders | packages | shipments | invoices | bills | refunds | payments | contracts | "
            "subscriptions | accounts | cards | routers | modems | phones | laptops | tickets | "
            "bookings | reservations | claims | statements | plans | services | replacements | "
            "returns | devices | receipts | vouchers | deposits"
        ),
    }.items()
}

TEMPLATES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (  # Openings.
        3,
        (
            "{greeting}, thank you for calling {company}. My name is {first}. "
            "How can I help you {part_of_day}?",
            "{greeting}, this is {first} from {company}. How may I help you?",
            "{greeting}, you are speaking with {first}. What can I do for you today?",
            "Welcome to {company}. Please listen carefully, as our menu options have changed.",
            "{greeting}, my name is {first} {last}.",
            "{greeting}, my name is {first} {last} and I am calling about {object}.",
            "{greeting}, I would like to {action} {object}, {polite}.",
            "{greeting}, I am calling because {thing} {problem}.",
            "{greeting}, can I speak to {department}, please?",
            "This call may be recorded for quality and training purposes.",
        ),
    ),
    (  # Numbers.
        6,
        (
            "My {kind} number is {number}.",
            "The {kind} number is {number}.",
            "Your {kind} number is {number}.",
            "It's {number}.",
            "Sure, it is {number}.",
            "{number}.",
            "Yes, the number is {digits:4} {digits:4} {digits:4} {digits:4}.",
            "My card number is {digits:4} {digits:4} {digits:4} {digits:4}.",
            "My phone number is {digits:3} {digits:3} {digits:4}.",
            "You can reach me at {digits:3} {digits:3} {digits:4}.",
            "The last four digits are {digits:4}.",
            "My date of birth is {month} {ordinal}, {digits:4}.",
            "My zip code is {digits:5}.",
            "The security code is {digits:3}.",
            "So that is {number}, is that correct?",
            "Let me repeat that, {number}.",
            "Can you confirm the {kind} number {number}?",
        ),
    ),
    (  # Announcements.
        4,
        (
            "For {menu}, press {unit}.",
            "For {menu}, press {unit}. For {menu}, press {unit}.",
            "To {action} {your_object}, press {unit}.",
            "To speak to {department}, press {unit} or say {department}.",
            "Press {unit} to confirm or {unit} to go back.",
            "Press zero for an operator.",
            "To repeat these options, press star.",
            "Please enter your {kind} number, followed by the pound key.",
            "Please say yes or no.",
            "All of our agents are busy. Please stay on the line.",
            "Your estimated wait time is {duration}.",
            "You are number {count} in the queue.",
            "Please leave a message after the tone.",
            "We will call you back {when}.",
            "Our office is open from {day} to {day}, from {hour} to {hour}.",
            "Your call is important to us.",
        ),
    ),
    (  # What callers say.
        8,
        (
            "{thing} {problem}.",
            "{thing} {problem} since {day}.",
            "{thing} {problem} and I need help.",
            "I ordered a {adjective} {item} {when} and it {problem}.",
            "I think {thing} {problem}.",
            "I want to {action} {object}.",
            "I need to {action} {object} {when}.",
            "I would like to {action} {object} and {action} {object}.",
            "Could you please {action} {object}?",
            "Can you {action} {object} for me, {polite}?",
            "Why was I charged {amount} {when}?",
            "I was charged {amount} instead of {amount}.",
            "I paid {amount} {when}, but {thing} {problem}.",
            "I have been waiting for {duration}.",
            "I have been on hold for {duration}.",
            "I would like a refund of {amount}.",
            "When will I get my refund?",
            "When will {object} arrive?",
            "How long will it take?",
            "How much does the {adjective} {item} cost?",
            "How much do I owe?",
            "I forgot my password and {thing} {problem}.",
            "I never received {object}.",
            "I am {feeling} with the service.",
            "I am {feeling} about this.",
            "Can I make an appointment {when}?",
            "I need a technician {when}.",
            "Can you call me back {when}?",
            "I want to speak to {department}.",
            "Please transfer me to {department}.",
            "I moved to a new address {when}.",
            "There is a problem with {object}.",
            "There was an outage in my area {when}.",
            "I already restarted the {item} and it still {still_problem}.",
            "I did not make that payment.",
            "I lost my {adjective} {item} {when}.",
        ),
    ),
    (  # What agents say.
        8,
        (
            "I'm sorry to hear that, {title} {last}.",
            "I'm sorry about that. Let me check {your_object} for you.",
            "Let me check that for you.",
            "Let me {action} {your_object} for you.",
            "One moment, please.",
            "Could you hold for {duration}, please?",
            "Please hold while I transfer you to {department}.",
            "I will transfer you to {department} now.",
            "Thank you for waiting, {title} {last}.",
            "Thank you for your patience.",
            "Can I have your {kind} number, please?",
            "May I have your full name and {kind} number?",
            "Could you spell your last name for me?",
            "Could you please confirm your date of birth?",
            "I can see that {your_thing} {problem}.",
            "It looks like {your_thing} {problem}.",
            "I have sent a confirmation to your email address.",
            "I can offer you a refund of {amount}.",
            "I can offer you {count} percent off your next {item}.",
            "I will send you a {adjective} {item} {when}.",
            "Your {item} will arrive {when}.",
            "Your {item} will arrive on {day}, {month} {ordinal}.",
            "Your {adjective} {item} was shipped {when}.",
            "Your balance is {amount}.",
            "Your {item} of {amount} is due on {month} {ordinal}.",
            "A technician will visit you {when} between {hour} and {hour}.",
            "Your appointment is on {day} at {hour}.",
            "Your appointment is confirmed for {day}, {month} {ordinal} at {hour}.",
            "Please restart your {item} and wait {duration}.",
            "Please unplug the {item}, wait {duration} and plug it in again.",
            "Is there anything else I can help you with?",
            "Did that solve your problem?",
            "Have I answered all of your questions?",
            "That has been updated for you.",
            "The refund will take {duration}.",
            "It should be ready {when}.",
            "I have opened a {adjective} {item} for you. The {kind} number is {number}.",
            "I understand that you are {feeling}.",
            "We value your feedback.",
            "Would you like to {action} {your_object}?",
            "Would you like me to {action} {your_object}?",
        ),
    ),
    (  # Short replies.
        5,
        (
            "Yes, please.",
            "Yes.",
            "No.",
            "No, thank you.",
            "No, that's all.",
            "Okay.",
            "Okay, thank you.",
            "Yes, that is correct.",
            "That's right.",
            "No, that is not right.",
            "Thank you very much.",
            "You're welcome.",
            "Goodbye.",
            "Thanks for your help. Goodbye.",
            "Have a nice day.",
            "Thank you for calling {company}. Have a great day.",
            "Great, thank you so much.",
            "Sure, go ahead.",
            "I don't know.",
            "I don't think so.",
            "Of course.",
            "Sorry, can you repeat that?",
            "I can't hear you.",
            "Hold on a second.",
            "Perfect.",
            "Agent.",
            "Operator.",
            "Representative.",
            "Cancel.",
            "{menu}.",
            "Speak to {department}.",
            "Yes, {when} is fine.",
            "No, {when} is better.",
            "{unit}.",
            "{count} {items}, please.",
            "I'll wait.",
            "What's the problem?",
            "What is your {kind} number?",
            "It's about {object}.",
        ),
    ),
)
"""Groups of templates with the weight that each template of the group has."""
