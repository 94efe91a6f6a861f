"""What a session does for its screens, and keeps for the next one; knows no widgets."""
