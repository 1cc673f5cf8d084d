"""From events to the columns of a model: numeric features, attributes and text."""
