"""What customers say in surveys: satisfaction (CSAT) and willingness to recommend (NPS).

A survey counts where the conversation that it is about was: in that queue, for that agent, in the interval in
which it was offered. Of a question that was answered twice the last answer counts; an answer outside of its
scale, or none, is no answer.
"""

from dataclasses import dataclass, fields

from callcenter.reports.ratio import Ratio


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """Counts of surveys and answers; can be added up.

    ``csat_offered`` are the surveys that ask for satisfaction and ``csat_answered`` those of them that got at
    least one answer; a survey may ask more than once, so ``csat`` counts answers. The same for ``nps``.
    """

    offered: int = 0
    answered: int = 0  # at least one question
    csat_offered: int = 0
    csat_answered: int = 0
    csat: int = 0
    satisfied: int = 0  # 4 or 5 of 1 to 5
    nps_offered: int = 0
    nps_answered: int = 0
    nps: int = 0
    promoters: int = 0  # 9 or 10 of 0 to 10
    detractors: int = 0  # 0 to 6

    @property
    def csat_share(self) -> Ratio:
        """The share of answers 4 or 5."""
        return Ratio(self.satisfied, self.csat)

    @property
    def nps_points(self) -> Ratio:
        """The percentage of promoters less that of detractors: -100 to 100."""
        return Ratio(100 * (self.promoters - self.detractors), self.nps)

    @property
    def response(self) -> Ratio:
        """Surveys answered, at least in part, of those offered."""
        return Ratio(self.answered, self.offered)

    @property
    def csat_response(self) -> Ratio:
        """Surveys with an answer on satisfaction, of those offered that ask for it."""
        return Ratio(self.csat_answered, self.csat_offered)

    @property
    def nps_response(self) -> Ratio:
        """Surveys with an answer on recommendation, of those offered that ask for it."""
        return Ratio(self.nps_answered, self.nps_offered)

    def __add__(self, other: "Satisfaction") -> "Satisfaction":
        return Satisfaction(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))
