"""The order of a pass: gather, decide, prepare, apply, verify, record, undo."""
