"""Messages between nodes: signed on both ways, answered once, and never believed for anything but their signature."""
