"""Looking at a release without touching it: how it stands, what a run would do, how to take it back, what is served."""
