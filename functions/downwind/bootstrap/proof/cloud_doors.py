"""Ingress and invokers of the functions, as Google says they are at this moment."""

from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.kinds.policies import held
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.proof.site import Door
from downwind.bootstrap.wanted import Resource


class CloudDoors:
    def __init__(self, plan: Plan, cloud: Cloud) -> None:
        self._plan = plan
        self._cloud = cloud

    def read(self, function: str) -> Door | None:
        function_resource = self._resource(f"function/{function}")
        policy = self._resource(f"policy/function/{function}")
        requests = [self._plan.kinds[each.kind].where(each) for each in (function_resource, policy)]
        live, standing = self._cloud.read_all(requests)
        if live is None:
            return None
        ingress = live.get("serviceConfig", {}).get("ingressSettings")
        members = {member for role, member, _ in held(standing or {}) if role == "roles/run.invoker"}
        return Door(internal=ingress == "ALLOW_INTERNAL_ONLY", invokers=frozenset(members))

    def _resource(self, key: str) -> Resource:
        return next(each for each in self._plan.resources if each.key == key)
