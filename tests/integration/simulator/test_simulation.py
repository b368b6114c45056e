import asyncio
from dataclasses import replace

from callcenter.simulator.dialogue import Speaker, Topic, Turn
from callcenter.simulator.faults import Fault
from callcenter.simulator.run import Simulation
from callcenter.simulator.scenario import AgentPlan, Answer, CallerPlan, PlannedTurn, Scenario, Script
from callcenter.simulator.truth import CallTruth, Truth
from callcenter.simulator.voices import Voice
from callcenter.simulator.world import Progress

VOICE = Voice("en-us", 190, 50, 50, 0)
TURNS = (
    PlannedTurn(Turn(Speaker.AGENT, "What's the problem?"), 0.3),
    PlannedTurn(Turn(Speaker.CALLER, "I did not make that payment."), 0.3),
    PlannedTurn(Turn(Speaker.AGENT, "Have I answered all of your questions?"), -0.6),
)


def caller(index: int, script: Script, **more) -> CallerPlan:
    plan = CallerPlan(f"+121255501{index:02d}", script, 0.1 * index, VOICE, think_s=0.2)
    return replace(plan, **more)


def agent(index: int, *answers: Answer) -> AgentPlan:
    queues = ("sales", "support", "billing")
    return AgentPlan(f"agent{index}", f"+120655501{index:02d}", queues, VOICE, 0.2, 0.3, answers)


async def simulate(service, *people: CallerPlan | AgentPlan, seen: list[Progress] | None = None) -> Truth:
    callers = tuple(person for person in people if isinstance(person, CallerPlan))
    agents = tuple(person for person in people if isinstance(person, AgentPlan))
    service.agents = {plan.id: plan.address for plan in agents}
    scenario = Scenario(callers, agents, deadline_s=30)
    show = (seen if seen is not None else []).append
    async with Simulation(scenario, service.url, "desk", "AC1", "secret", show=show) as simulation:
        service.gateway_url = simulation.gateway_url
        truth = await simulation.run()
    assert service.bad_signatures == []
    assert set(service.states.values()) <= {"offline"}
    return truth


def of(truth: Truth, index: int) -> CallTruth:
    return next(call for call in truth.calls if call.number.endswith(f"01{index:02d}"))


async def test_each_script_ends_as_it_should(service) -> None:
    seen: list[Progress] = []
    truth = await simulate(
        service,
        caller(0, Script.TALK, turns=TURNS, hold_after=1, hold_s=0.4),
        caller(1, Script.WRONG_KEY, turns=TURNS[:2], topic=Topic.SUPPORT, ends=Speaker.AGENT),
        caller(2, Script.ACCOUNT, turns=TURNS[:1], topic=Topic.BILLING, account="482915"),
        caller(3, Script.ABANDON, patience_s=0.5),
        caller(4, Script.HANG_UP_IN_MENU),
        caller(5, Script.HOURS),
        caller(6, Script.VOICEMAIL, turns=TURNS[1:2]),
        agent(0),
        seen=seen,
    )
    assert truth.problems == []
    assert [call.outcome(6) for call in sorted(truth.calls, key=lambda call: call.number)] == [
        "answered",
        "answered",
        "answered",
        "short_abandoned",
        "ivr_abandoned",
        "self_served",
        "voicemail",
    ]
    assert [call.problems for call in truth.calls] == [[]] * 7
    said = [line for call in truth.calls for line in call.said if call.agent]
    assert len(said) == 6
    assert all(line.heard and line.complete and 0 <= line.heard_delay_ms < 100 for line in said)
    assert all(line.ended_at - line.started_at > 0.4 for line in said)

    talk, wrong, account = of(truth, 0), of(truth, 1), of(truth, 2)
    assert 0.4 <= talk.contacts[0].hold_s < 0.8
    assert talk.ended_by == "caller"
    assert 0.2 <= talk.contacts[0].wrap_up_s < 0.9
    assert ([key.digit for key in wrong.keys], wrong.ended_by) == (["7", "2"], "agent")
    assert "".join(key.digit for key in account.keys) == "3482915#"
    assert account.contacts[0].entered_at >= account.keys[-1].at
    assert of(truth, 5).ended_by == "service"
    assert of(truth, 6).said[0].complete
    assert [entry.what for entry in seen if entry.who == "agent0"][:2] == ["signs in", "rings"]


async def test_refused_and_missed_offers_go_to_somebody_else(service) -> None:
    service.ring_timeout_s = 1
    truth = await simulate(
        service,
        caller(0, Script.TALK, turns=TURNS[:1]),
        agent(0, Answer.REJECT, Answer.MISS),
        agent(1, Answer.MISS),
    )
    call = of(truth, 0)
    assert call.outcome(6) == "answered"
    answers = [offer.answer for offer in call.offers]
    assert answers[-1] == "answered"
    assert {"rejected", "missed"} == set(answers[:-1])
    assert truth.problems == []


async def test_a_caller_who_gives_up_takes_the_offer_back(service) -> None:
    truth = await simulate(service, caller(0, Script.ABANDON, patience_s=0.4), agent(0, Answer.MISS))
    call = of(truth, 0)
    assert (call.outcome(6), call.ended_by) == ("short_abandoned", "caller")


async def test_a_line_that_dies_in_a_conversation(service) -> None:
    truth = await simulate(service, caller(0, Script.TALK, turns=TURNS, fault=Fault.DROP_MID_WORD), agent(0))
    call = of(truth, 0)
    assert (call.outcome(6), call.ended_by) == ("answered", "network")
    assert [line.complete for line in call.said] == [True, False]


async def test_the_deadline_ends_everything(service) -> None:
    scenario = Scenario((caller(0, Script.TALK, turns=TURNS),), (), deadline_s=1.0)
    async with Simulation(scenario, service.url, "desk", "AC1", "secret") as simulation:
        async with asyncio.timeout(5):
            truth = await simulation.run()
    assert truth.problems == ["not over after 1 s"]
    assert truth.calls[0].ended_by == "caller"


async def test_callers_whose_agent_has_gone_take_the_survey(service) -> None:
    service.surveys = True
    plans = [("1", "5", "10"), ("1", "3"), ("2",), ()]
    truth = await simulate(
        service,
        *(
            caller(index, Script.TALK, turns=TURNS[:1], ends=Speaker.AGENT, survey=survey)
            for index, survey in enumerate(plans)
        ),
        caller(4, Script.TALK, turns=TURNS[:1]),
        *(agent(index) for index in range(5)),
    )
    assert truth.problems == []
    calls = [of(truth, index) for index in range(5)]
    assert [call.problems for call in calls] == [[]] * 5
    assert [[(one.kind, one.score) for one in call.ratings] for call in calls] == [
        [("csat", 5), ("nps", 10)],
        [("csat", 3)],
        [],
        [],
        [],
    ]
    assert [call.survey_heard for call in calls] == [True] * 4 + [False]
    assert [call.ended_by for call in calls] == ["service", "caller", "service", "caller", "caller"]
    assert {call.outcome(6) for call in calls} == {"answered"}
    for call in calls[:4]:
        assert call.connected_at < call.parted_at < call.ended_at
        assert 0.2 <= call.contacts[0].wrap_up_s < 1.2  # the agent does not wait for the survey
    assert truth.figures().survey.offered == 4
