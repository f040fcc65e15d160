"""A token for a source: fetched once, kept, renewed ahead, its failures remembered."""
