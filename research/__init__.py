"""Studies made once, each with its result in a README. They may use `benchmarks`; nothing uses them."""
