"""State changes that AWS tells by itself: EventBridge rules feed an SQS queue, which is read at once."""

from __future__ import annotations
