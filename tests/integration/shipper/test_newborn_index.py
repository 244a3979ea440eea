"""The oracle's own way to ask: an index that is just being made is asked again, and nothing else is."""

import threading

import pytest
from elasticsearch import ApiError

from tests.support.newborn import once_it_is_born
from tests.support.shipping import Shipping

NOWHERE = {"index.routing.allocation.require._name": "nobody"}


def test_an_index_without_its_shard_is_asked_again(shipping: Shipping) -> None:
    """Held back from any node, as in the first moment of its life: 503 until it may have one, and then the count."""
    index = f"{shipping.prefix}-newborn"
    shipping.admin.indices.create(index=index, settings=NOWHERE, wait_for_active_shards=0)
    with pytest.raises(ApiError) as refused:
        shipping.admin.count(index=index)
    assert refused.value.meta.status == 503
    birth = threading.Timer(0.5, shipping.admin.indices.put_settings, kwargs={"index": index, "settings": dict.fromkeys(NOWHERE)})
    birth.start()
    assert shipping.count() == 0
    birth.join()


def test_another_error_is_raised_at_once(shipping: Shipping) -> None:
    """An index that nobody made is a mistake of the test, not a matter of patience."""
    with pytest.raises(ApiError) as refused:
        once_it_is_born(lambda: shipping.admin.count(index=f"{shipping.prefix}-never"))
    assert refused.value.meta.status == 404
