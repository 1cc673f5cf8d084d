"""From exports, databases and demos to the raw tables, with every row accounted for."""
