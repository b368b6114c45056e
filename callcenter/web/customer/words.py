"""What the customers' page says, as a list of what each language must have.

The type checker sees to it that no text is missing, a test that all languages have the same placeholders.
``{...}`` are filled in with ``str.format``.
"""

from typing import TypedDict


class Words(TypedDict):
    """All texts of one language."""

    # On every page.
    page_title: str
    skip: str
    language: str
    own_name: str
    step: str
    back: str
    problem: str
    problem_prefix: str
    privacy: str
    or_word: str

    # What is it about?
    topics_title: str
    topics_text: str
    nothing_open_title: str
    nothing_open_text: str
    opens_at: str

    # When?
    times_title: str
    soonest: str
    soonest_window: str
    soonest_unknown: str
    soonest_not: str
    choose_time: str
    zone_line: str
    free_one: str
    free_many: str
    no_times: str
    today: str
    tomorrow: str
    today_inside: str
    tomorrow_inside: str
    between: str

    # Who?
    details_title: str
    chosen_topic: str
    chosen_time: str
    change: str
    number: str
    number_hint: str
    number_kept: str
    name: str
    optional: str
    call_language: str
    consent: str
    ask: str
    trap: str

    # The code.
    code_title: str
    code_sms: str
    code_call: str
    code_valid: str
    code: str
    code_submit: str
    code_again: str
    code_sent: str
    code_other: str

    # A time that is gone.
    taken_title: str
    taken_text: str

    # A request that stood already.
    stands_title: str
    stands_text: str

    # The page of one request.
    place: str
    window: str
    window_was: str
    about: str
    your_number: str
    ending: str
    calls_made: str
    attempts: str
    next_try: str
    not_before: str
    late: str
    keep_link: str
    move: str
    cancel: str
    again: str
    refresh: str
    updated: str
    refreshes: str
    refresh_stop: str
    refresh_start: str

    queued_title: str
    queued_text: str
    scheduled_title: str
    scheduled_text: str
    due_title: str
    due_text: str
    preparing_title: str
    preparing_text: str
    dialing_title: str
    dialing_text: str
    talking_title: str
    talking_text: str
    retry_title: str
    retry_text: str
    checking_title: str
    checking_text: str
    completed_title: str
    completed_text: str
    cancelled_title: str
    cancelled_text: str
    withdrawn_title: str
    withdrawn_text: str
    merged_title: str
    merged_text: str
    exhausted_title: str
    exhausted_text: str
    expired_title: str
    expired_text: str
    rejected_title: str
    rejected_text: str
    failed_title: str
    failed_text: str

    # Moving and cancelling it.
    move_title: str
    move_text: str
    cancel_title: str
    cancel_text: str
    cancel_yes: str
    cancel_no: str
    notice_moved: str
    notice_stands: str
    notice_meanwhile: str
    notice_too_late: str

    # What is wrong with what was filled in.
    wrong_number_missing: str
    wrong_number: str
    wrong_number_kind: str
    wrong_name: str
    wrong_language: str
    wrong_consent: str
    wrong_trap: str
    wrong_old_form: str
    wrong_time: str
    wrong_code: str
    wrong_code_form: str
    wrong_code_over: str
    wrong_code_unsent: str
    wrong_code_wait: str

    # Instead of a page.
    link_title: str
    link_text: str
    start_again: str
    many_title: str
    many_text: str
    not_offered_title: str
    not_offered_text: str
    bad_form_title: str
    bad_form_text: str
    away_title: str
    away_text: str
