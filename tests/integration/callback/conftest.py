import pytest

from callback.store import Store
from callcenter.storage.pool import Database


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database.transaction)
