"""One module a stage, and the runner that owns key, lock, skip and receipt for all of them."""
