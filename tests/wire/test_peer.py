from __future__ import annotations

from minikernel.wire.peer import Address


def test_of_an_address_no_more_is_known_than_where_it_is() -> None:
    address = Address((b"a", b"b"))
    assert (address.route, address.session, address.client_id) == ((b"a", b"b"), None, None)


def test_stock_clients_wait_for_the_idle_of_whatever_they_ask() -> None:
    assert Address(()).announced
