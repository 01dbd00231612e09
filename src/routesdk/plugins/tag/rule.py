"""The rule that looks at tags."""

from __future__ import annotations

import attrs
from attrs.validators import min_len

from routesdk.types import Proposal, RouteContext


@attrs.frozen(kw_only=True)
class Tag:
    """Choose `model` for queries that have the tag `tag`.

    Attributes:
        tag: The tag, spelled as the caller spells it.
        model: The model to propose.
    """

    tag: str = attrs.field(validator=min_len(1))
    model: str = attrs.field(validator=min_len(1))

    def propose(self, context: RouteContext) -> Proposal | None:
        """Propose the model where the query has the tag."""
        if self.tag not in context.query.tags:
            return None
        return Proposal(self.model, f"the query has the tag {self.tag!r}")
