"""The person who installs a release: fetching it, verifying it, installing it with no network."""
