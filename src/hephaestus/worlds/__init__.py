"""Where a run acts: the world of stand-ins (rehearsal) or the real one (publish), as frozen data."""
