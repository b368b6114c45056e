"""What a process reports of itself, gathered from its parts."""

from collections.abc import Sequence

from callcenter.call.services import CallServices
from callcenter.call.supervisor import CallSupervisor
from callcenter.speech import speech_stats
from callcenter.stores import Stores
from callcenter.telephony.shell import MediaCounters
from callcenter.web.metrics import ProcessFigures
from callcenter.web.webhook_sender import WebhookStats


def figures_of(
    stores: Stores,
    services: CallServices,
    supervisor: CallSupervisor,
    media: Sequence[MediaCounters],
    handed_over: int,
    webhooks: WebhookStats,
) -> ProcessFigures:
    """The figures now; ``handed_over`` are legs that belong to other processes."""
    log_ = stores.events.stats
    speech, retried = speech_stats(services.recognizer)
    return ProcessFigures(
        calls=supervisor.calls,
        legs=supervisor.legs,
        legs_handed_over=handed_over,
        frames_in=sum(one.frames_in for one in media),
        frames_out=sum(one.frames_out for one in media),
        frames_dropped=sum(one.dropped for one in media),
        audio_dropped_seconds=supervisor.losses.dropped_ms / 1000,
        audio_skipped_seconds=supervisor.losses.skipped_ms / 1000,
        refusals=sum(one.refused for one in media),
        protocol_errors=sum(one.protocol_errors for one in media),
        events_stored=log_.stored,
        events_pending=log_.pending,
        events_lost=log_.lost,
        events_rejected=log_.rejected,
        speech_waiting=speech.waiting,
        speech_put_off=speech.put_off,
        speech_rung=speech.rung,
        speech_recognized=speech.done,
        speech_failed=speech.failed,
        speech_retries=speech.retries,
        speech_replicas_lost=retried,
        speech_partials_shed=speech.partials_shed,
        speech_partials_dropped=services.partials.dropped,
        speech_words_later=speech.words_later,
        speech_finals_later=speech.finals_later,
        speech_batches=speech.batches,
        speech_rows=speech.rows,
        speech_busy_seconds=speech.busy_s,
        webhooks_delivered=webhooks.delivered,
        webhooks_failed=webhooks.failed,
        webhooks_dead=webhooks.dead,
    )
