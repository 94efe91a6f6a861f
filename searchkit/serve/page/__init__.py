"""The page in the browser: search, documents, answers and collections, made on the server, that fetches nothing from elsewhere."""
