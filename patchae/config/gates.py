"""`gates:` of a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from patchae.config.base import Frozen, Share


class Gates(Frozen):
    """What a model must show before it becomes champion.

    Every limit is held against a confidence interval, not against the number in its middle.
    """

    confidence: float = Field(0.95, ge=0.5, lt=1)
    """Of the intervals, two-sided; the lower end alone is surer: 0.975 for 0.95."""
    min_image_auroc: Share = 0.9
    """Image AUROC on the test images: its whole interval must lie here or above."""
    max_drop: Share = 0.03
    """How far image AUROC may lie below the champion's on the same images: the margin of
    non-inferiority. The whole interval of the difference must keep it."""
    min_recall: Share = 0.0
    """Share of each kind of defect that raises an alarm; 0 asks for nothing."""
    min_recall_of: Mapping[str, Share] = Field({})
    """The same for single kinds, by the names of their folders."""
    max_false_alarms: Share = 0.2
    """Share of good images that raise an alarm; 1 asks for nothing.

    The whole interval must lie below: at 0.95 it takes 17 good test images without an alarm to show
    0.2, and 36 to show 0.1, which most classes do not have. One good part of five to be looked at
    again is the most that a line bears."""
    broken_promise: Literal["hold", "reject", "allow"] = "hold"
    """More false alarms on good test images, for certain, than `false_alarm_rate` promised."""
    max_ms_per_image: float | None = Field(None, gt=0)
    """Milliseconds per image where the model was judged."""
    older_data: Literal["reject", "allow"] = "reject"
    """A model of an older data version than the champion's."""
    min_test_good: int = Field(5, ge=1)
    """Fewer good test images than this: the verdict is `hold`, whatever they show."""
    min_test_defect: int = Field(5, ge=1)
    """Fewer defective test images than this: the verdict is `hold`, whatever they show."""
