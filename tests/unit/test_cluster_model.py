"""The model of a cluster agrees with what was measured, and finds the part that is the limit."""

from __future__ import annotations

import pytest

from bench.cluster import COORDINATOR, NODE, PLAIN, Machine, Point, Sluice, busiest_share, points, uneven


@pytest.mark.parametrize("point", points(), ids=lambda point: point.what)
def test_model_is_near_what_was_measured(point: Point) -> None:
    assert point.off < 0.15, f"{point.modelled:.3g} instead of {point.measured:.3g}"


def test_costs_are_those_that_were_measured() -> None:
    measured = {PLAIN: (5.5, 5.0), COORDINATOR: (3.6, 2.0), NODE: (4.4, 4.5)}
    for cost, (small, large) in measured.items():
        assert (cost.of(2_500), cost.of(12_500)) == pytest.approx((small, large))


def test_each_part_can_be_the_limit() -> None:
    assert Sluice(workers=2, nodes=4).limit()[0] == "workers"
    assert Sluice(workers=500).limit()[0] == "database"
    assert Sluice(workers=500, nodes=16).limit()[0] == "coordinator"
    assert Sluice(workers=500, nodes=16, coordinator=Machine(cores=32), sellers=[1]).limit()[0] == "busiest node"
    assert Sluice(workers=500, nodes=2, node=Machine(wal=50)).limit()[0] == "busiest node"


def test_one_seller_reaches_one_node_and_many_reach_all() -> None:
    assert busiest_share([1], nodes=8) == 1
    assert busiest_share([1] * 10_000, nodes=8) == pytest.approx(1 / 8, rel=0.2)
    assert busiest_share(uneven(100), nodes=8) > busiest_share([1] * 100, nodes=8)
