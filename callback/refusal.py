"""Why a wish to be called back is not granted."""

from enum import StrEnum


class Refusal(StrEnum):
    """Machine-readable; the API answers with it."""

    NUMBER_INVALID = "number_invalid"
    NUMBER_EMERGENCY = "number_emergency"
    NUMBER_PREMIUM = "number_premium"
    NUMBER_OWN = "number_own"
    NUMBER_FOREIGN = "number_foreign"  # of a region that is not called
    DO_NOT_CALL = "do_not_call"
    NOT_OFFERED = "not_offered"  # the queue takes no callbacks, or none at present
    TOO_MANY = "too_many"  # pending ones
    CLOSED = "closed"  # at that time, or so soon before closing
    SLOT_FULL = "slot_full"
    SLOT_PAST = "slot_past"
    SLOT_TOO_FAR = "slot_too_far"
    SLOT_UNKNOWN = "slot_unknown"  # no slot begins then
    TOO_EARLY = "too_early"  # than the present wait
    TOO_LATE = "too_late"  # the callback is being carried out, or has ended
    EXPIRED = "expired"
    CONSENT_MISSING = "consent_missing"
    KEY_REUSED = "key_reused"  # an idempotency key that came with another request before
    ZONE_UNKNOWN = "zone_unknown"
