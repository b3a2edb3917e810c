//! Drills: the real binaries, killed for real. They live in `tests/`.
