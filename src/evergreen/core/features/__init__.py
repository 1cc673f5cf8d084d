"""Features from events: numeric features, client attributes, texts, and the extractor of all."""
