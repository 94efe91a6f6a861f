"""The user's keys and viewer of files, and the state kept between sessions: theme and history."""
