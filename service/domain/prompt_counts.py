"""What stands around the documents of a prompt, in tokens."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.manner import NO_IMAGES, Images, sum_of


@dataclass(frozen=True, slots=True)
class PromptCounts:
    """Exact counts of the texts around the documents, each a message.

    Attributes:
        correction: learnt from replies.
        history: of what was said before, with the chat format's share.
        images: pictures that the question shows, in every call that asks it.
        history_images: those that questions before it showed.
    """

    instructions: int
    task: int
    part_task: int
    merge_instructions: int
    merge_task: int
    correction: int = 0
    history: int = 0
    repair_task: int = 0
    images: Images = NO_IMAGES
    history_images: Images = NO_IMAGES

    @property
    def shown(self) -> Images:
        """All pictures around the documents."""
        return sum_of((self.images, self.history_images))
