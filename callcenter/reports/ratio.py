"""A quotient whose parts are kept, because ratios are added and never averaged. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    """A share or a mean that can still be added to another: numerators and denominators apart."""

    numerator: float
    denominator: float

    @property
    def value(self) -> float | None:
        """The quotient; ``None``, not 0, where there is nothing to divide by."""
        return self.numerator / self.denominator if self.denominator else None

    def __add__(self, other: "Ratio") -> "Ratio":
        return Ratio(self.numerator + other.numerator, self.denominator + other.denominator)

    def parts(self, digits: int) -> dict[str, float | None]:
        """The three numbers for machines; the quotient with ``digits``, its parts with three."""
        value = self.value
        return {
            "value": None if value is None else round(value, digits),
            "numerator": round(self.numerator, 3),
            "denominator": round(self.denominator, 3),
        }
