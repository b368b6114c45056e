"""All that is kept of callbacks, in PostgreSQL. The only package of this leaf that knows a database."""

from callback.store.claims import Claims
from callback.store.clock import Clock
from callback.store.keeping import Keeping
from callback.store.people import People
from callback.store.reading import Reading
from callback.store.wishes import Wishes

__all__ = ["Store"]


class Store(Reading, Wishes, People, Keeping, Claims, Clock):
    """The callbacks of one database; each method is one transaction of ``transaction``.

    Raises what ``callback.errors`` draws; what goes wrong with the connection comes out of ``transaction``.
    """
