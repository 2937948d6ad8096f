"""What this project's own noxfile needs for its development."""
