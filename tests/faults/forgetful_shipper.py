"""A negative control: a shipper that notes lines as delivered when it has read them. The kill loop must catch it."""

import sys

from app.shipper.__main__ import main
from app.shipper.segments import SegmentQueue

if __name__ == "__main__":
    SegmentQueue.positions = lambda self: {  # type: ignore[method-assign]
        str(segment.name): segment.read for segment in self.open_segments() if segment.read
    }
    sys.exit(main())
