"""Text from files as styled text: data that is never parsed as markup and cannot steer the terminal."""
