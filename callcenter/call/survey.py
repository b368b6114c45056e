"""What callers say of a call goes to the log with the queue and the agent that it is about."""

from uuid import UUID

import ivr
from callcenter.call.journal import Journal
from callcenter.events import EventType


def write_survey(journal: Journal, action: ivr.SurveyOffered | ivr.SurveyAnswered) -> None:
    """Note that a survey was offered, or an answer by keys."""
    queue, agent = _about(journal)
    match action:
        case ivr.SurveyOffered(survey, kinds):
            journal.write(
                EventType.SURVEY_OFFERED, queue=queue, agent=agent, survey=survey, kinds=list(kinds)
            )
        case ivr.SurveyAnswered(survey, question, kind, score):
            journal.write(
                EventType.SURVEY_ANSWERED,
                queue=queue,
                agent=agent,
                survey=survey,
                question=question,
                kind=kind,
                score=score,
            )


def write_survey_words(journal: Journal, step: ivr.RecordWords, recording_id: UUID | None) -> None:
    """Note an answer in words; what was said is in the recording and among the call's words."""
    queue, agent = _about(journal)
    journal.write(
        EventType.SURVEY_ANSWERED,
        queue=queue,
        agent=agent,
        survey=step.survey,
        question=step.question,
        kind="words",
        recording=None if recording_id is None else str(recording_id),
    )


def _about(journal: Journal) -> tuple[str | None, str | None]:
    """Queue and agent of the last conversation; none where there was none."""
    for event in reversed(journal.events):
        if event.type is EventType.AGENT_CONNECTED:
            return event.queue, event.agent
    return None, None
