"""The stages. Whatever imports Beam imports this package first, so that Beam comes up without a word."""

import logging


def _is_of_use(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("apitools not found")


# Beam warns of it each time it is imported; only BigQuery, which nothing here reads or writes, would need it.
logging.getLogger().addFilter(_is_of_use)
