"""What a process reports of itself, gathered from its parts."""

from callcenter.call.services import CallServices
from callcenter.call.supervisor import CallSupervisor
from callcenter.callback_work import CallbackWork
from callcenter.gateways import Gateways
from callcenter.speech import speech_stats
from callcenter.stores import Stores
from callcenter.web.metrics import ProcessFigures
from callcenter.web.webhook_sender import WebhookStats


def figures_of(
    stores: Stores,
    services: CallServices,
    supervisor: CallSupervisor,
    gateways: Gateways,
    work: CallbackWork | None,
    webhooks: WebhookStats | None,
) -> ProcessFigures:
    """The figures now; ``None`` for what this process does not do."""
    log_, media = stores.events.stats, gateways.counters
    speech, retried = speech_stats(services.recognizer)
    return ProcessFigures(
        calls=supervisor.calls,
        legs=supervisor.legs,
        legs_handed_over=gateways.handover.given,
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
        **({} if work is None else _callbacks(work)),
        **({} if webhooks is None else _webhooks(webhooks)),
    )


def _callbacks(work: CallbackWork) -> dict[str, float]:
    return {
        "callbacks_in_hand": work.worker.carried,
        "callbacks_carried": work.carrier.figures.carried,
        "callbacks_dialled": work.carrier.figures.dialled,
        "callbacks_lost": work.worker.lost,
        "callbacks_reconciled": work.worker.reconciled,
        "callbacks_unknown": work.worker.unknown,
    }


def _webhooks(webhooks: WebhookStats) -> dict[str, float]:
    return {
        "webhooks_delivered": webhooks.delivered,
        "webhooks_failed": webhooks.failed,
        "webhooks_dead": webhooks.dead,
    }
