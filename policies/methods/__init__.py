"""Disclosure methods: pure functions over arrays of cells. They know nothing of SQL, catalogues or engines."""
