"""The Beam job and the command line."""

import transforms  # noqa: F401  before Beam is imported
