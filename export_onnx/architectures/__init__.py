"""The networks, one a file: encoder → tagger (with its CRF) and relation head."""
