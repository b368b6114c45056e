import pytest

from callback.store import Store
from callcenter.storage.pool import Database
from support.workbench import Bench


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database.transaction)


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)
