"""An agent's wrap-up belongs to the conversation: it begins with its end, and the caller may go on."""

from typing import Any

from callcenter.acd.presence import AgentEvent

SURVEY = """
language: en
start: sales
nodes:
  sales: {kind: queue, queue: sales, answered: message, timeout: bye, empty: bye, full: bye, closed: bye}
  message: {kind: voicemail, mailbox: sales, next: bye}
  bye: {kind: hangup}
"""


async def test_the_agent_wraps_up_while_the_caller_goes_on_in_the_flow(open_center: Any) -> None:
    center = await open_center(SURVEY, wrap_up_s=60)
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    center.network.agents[0].hang_up()
    await center.until("wrap_up")
    await center.hears("recording.started", 2)
    assert not caller.closed.is_set()
    types = center.types()
    after = types[types.index("conversation.ended") :]
    assert after[:3] == ["conversation.ended", "acw.started", "ivr.entered"]
    await center.roster.signal("alice", AgentEvent.READY)
    await center.hears_of("acw.ended")
    assert "call.ended" not in center.types()
    caller.hang_up()
    await center.over()
    assert [event.data for event in center.events if event.type == "call.ended"] == [
        {"cause": "caller_hangup", "outcome": "answered"}
    ]
    await center.until("available")


async def test_a_caller_who_hangs_up_first_is_not_asked_anything(open_center: Any) -> None:
    center = await open_center(SURVEY, wrap_up_s=0)
    await center.agent()
    caller = await center.call()
    await center.hears_of("agent.connected")
    caller.hang_up()
    await center.over()
    types = [type_ for type_ in center.types() if not type_.startswith("recording")]
    assert types[-4:] == ["conversation.ended", "acw.started", "call.ended", "acw.ended"]


async def test_a_drained_call_frees_the_agent_who_wraps_up_while_the_caller_goes_on(open_center: Any) -> None:
    center = await open_center(SURVEY, wrap_up_s=60)
    await center.agent()
    await center.call()
    await center.hears_of("agent.connected")
    center.network.agents[0].hang_up()
    await center.until("wrap_up")
    await center.supervisor.drain(0)
    await center.until("available")
    assert center.types().count("acw.ended") == 1
