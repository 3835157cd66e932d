"""Models that share a slot, as planned before anything starts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.cluster.packing import (
    RoomPlan,
    SlotPlan,
    find_unschedulable,
    merge_slots,
    plan_room,
    plan_slots,
)
from debate.cluster.resources import Node, list_resource_requests
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec, ScriptedModel, VllmModel
from debate.errors import ConfigError


def vllm(**fields: object) -> VllmModel:
    return VllmModel(engine="vllm", model="m", **fields)


def node(gpus: float, cpus: float = 64) -> Node:
    return Node(name="n", gpus=gpus, cpus=cpus)


def list_models(plans: tuple[SlotPlan, ...] | None) -> list[list[str]]:
    assert plans is not None
    return [list(plan.models) for plan in plans]


THREE: dict[str, ModelSpec] = {name: vllm() for name in "abc"}


def test_with_a_gpu_for_each_nothing_is_shared() -> None:
    assert plan_slots(THREE, ClusterSpec(), [node(3)]) == ()


def test_with_too_few_gpus_models_share_what_is_there() -> None:
    assert list_models(plan_slots(THREE, ClusterSpec(), [node(1)])) == [["a", "b", "c"]]
    assert list_models(plan_slots(THREE, ClusterSpec(), [node(2)])) == [["a", "c"]]
    assert list_models(plan_slots(THREE, ClusterSpec(), [node(1), node(1)])) == [["a", "c"]]


def test_a_smaller_model_shares_the_slot_of_a_larger_one() -> None:
    models: dict[str, ModelSpec] = {"large": vllm(gpus=2), "small": vllm(gpus=0.5)}
    (plan,) = plan_slots(models, ClusterSpec(), [node(2)])
    assert (plan.models, plan.largest.gpus) == (("large", "small"), 2)


def test_what_no_slot_could_hold_stays_outside() -> None:
    models: dict[str, ModelSpec] = {"large": vllm(gpus=4), "a": vllm(), "b": vllm()}
    assert list_models(plan_slots(models, ClusterSpec(), [node(1)])) == [["a", "b"]]
    assert plan_room(models, ClusterSpec(num_gpus=1)).shortage


def test_replicas_of_one_model_do_not_take_turns_with_each_other() -> None:
    models: dict[str, ModelSpec] = {"a": vllm(replicas=2)}
    assert plan_slots(models, ClusterSpec(), [node(1)]) == ()
    assert plan_room(models, ClusterSpec(num_gpus=1)).shortage
    with pytest.raises(ConfigError, match=r"wants 2 replicas and cluster\.slots is 1"):
        plan_slots(models, ClusterSpec(slots=1), [node(1)])


def test_slots_that_are_asked_for_are_shared_by_all() -> None:
    spec = ScriptedModel(engine="scripted", replies="x", host="actor")
    models: dict[str, ModelSpec] = dict.fromkeys("abcd", spec)
    assert list_models(plan_slots(models, ClusterSpec(slots=2), None)) == [["a", "c"], ["b", "d"]]
    assert plan_slots(models, ClusterSpec(slots=4), None) == ()


def test_models_without_an_actor_need_no_slot() -> None:
    models: dict[str, ModelSpec] = {
        "api": ScriptedModel(engine="scripted", replies="x"),
        "a": vllm(),
    }
    assert plan_slots(models, ClusterSpec(slots=1), [node(1)]) == ()


def test_a_cluster_that_grows_by_itself_is_not_shared_unless_asked() -> None:
    assert plan_slots(THREE, ClusterSpec(autoscaling=True), [node(1)]) == ()
    assert list_models(plan_slots(THREE, ClusterSpec(autoscaling=True, slots=1), [node(1)]))


def test_before_an_existing_cluster_is_asked_only_what_is_written_is_known() -> None:
    assert plan_room(THREE, ClusterSpec(address="auto")) == RoomPlan(slots=None)
    assert list_models(plan_room(THREE, ClusterSpec(address="auto", slots=1)).slots) == [
        ["a", "b", "c"]
    ]


def test_a_cluster_that_was_asked_tells_whether_there_is_room() -> None:
    spec = ClusterSpec(address="auto")
    assert list_models(plan_room(THREE, spec, [node(2)]).slots) == [["a", "c"]]
    shortage = plan_room({"large": vllm(gpus=8)}, spec, [node(4), node(4)]).shortage
    assert shortage is not None
    assert 'model "large" wants 8 GPUs and 1 CPU; the cluster has 8 GPUs' in shortage
    growing = ClusterSpec(address="auto", autoscaling=True)
    assert plan_room({"large": vllm(gpus=8)}, growing, [node(4)]).shortage is None


def test_a_machine_without_gpus_cannot_hold_models_that_want_some() -> None:
    assert plan_room(THREE, ClusterSpec(num_gpus=0)).shortage
    assert plan_room(THREE, ClusterSpec(num_gpus=1)).shortage is None


@given(
    st.dictionaries(
        st.text("abcdefgh", min_size=1, max_size=2),
        st.tuples(st.sampled_from([0, 0.25, 0.5, 1, 2, 4]), st.integers(1, 3)),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
)
def test_every_replica_has_one_slot_at_most_and_every_slot_holds_its_replicas(
    asked: dict[str, tuple[float, int]], gpus: list[int]
) -> None:
    models: dict[str, ModelSpec] = {
        name: vllm(gpus=share, replicas=copies) for name, (share, copies) in asked.items()
    }
    plans = plan_slots(models, ClusterSpec(), [node(number) for number in gpus])
    sharing = [replica for plan in plans for replica in plan.replicas]
    assert len(sharing) == len(set(sharing))
    for plan in plans:
        assert len(set(plan.models)) == len(plan.models)
        assert all(replica.gpus <= plan.largest.gpus for replica in plan.replicas)
    requests = list_resource_requests(models)
    if not find_unschedulable(requests, [node(number) for number in gpus]):
        assert plans == ()
        assert merge_slots(requests, plans) == list(requests)
