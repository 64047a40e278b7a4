"""What answers a cell query with protected cells: this node itself, or another one."""
