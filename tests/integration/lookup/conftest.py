from collections.abc import AsyncIterator

import pytest

from callcenter.lookup import Lookups
from support.crm import SECRET, Crm, crm_running


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    async with crm_running() as crm:
        yield crm


@pytest.fixture
async def lookups() -> AsyncIterator[Lookups]:
    async with Lookups(2, {"CRM_TOKEN": SECRET}) as opened:
        yield opened
