"""The benchmark: what a release costs beside the tools it runs, as ratios measured side by side (docs/benchmark.md)."""
