"""How often a number and an address may ask."""

from aiohttp import web

from callcenter.callback_settings import Page
from callcenter.callbacks.desk import CallbackDesk
from callcenter.storage.page_codes import DAY_S, HOUR_S, PageUses, use_hash
from callcenter.web.customer import address
from callcenter.web.customer.drawing import TooManyError

ADDRESSES_AROUND = 8
"""So many times what one address may, all of its neighbourhood may together."""


class Limits:
    """Counted in the database, so that all processes agree."""

    def __init__(self, settings: Page, desk: CallbackDesk, uses: PageUses) -> None:
        self._settings = settings
        self._desk = desk
        self._uses = uses
        self._trusted = address.networks(settings.trusted_proxies)

    async def count(self, request: web.Request, number: str, sent: str) -> None:
        """One more request of this number and this address; raises ``TooManyError``.

        The same number ``sent`` with the same form again is the same request.
        """
        forwarded_for = request.headers.getall("X-Forwarded-For", [])
        asking = address.client(request.remote or "", forwarded_for, self._trusted)
        secret = await self._desk.code_key()
        settings, called = self._settings, use_hash("number", number, secret)
        uses = [
            (called, settings.per_number_hour, HOUR_S),
            (called, settings.per_number_day, DAY_S),
            (use_hash("address", asking, secret), settings.per_address_hour, HOUR_S),
        ]
        if (around := address.around(asking)) is not None:
            most = settings.per_address_hour * ADDRESSES_AROUND
            uses.append((use_hash("around", around, secret), most, HOUR_S))
        if not await self._uses.allow(use_hash("sent", f"{sent} {number}", secret), *uses):
            raise TooManyError
