"""Classes by which frameworks for language models search a library; each needs the framework of its name."""
