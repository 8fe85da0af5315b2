"""A user's events made into what a model takes: C++, pandas, pure Python."""

from typing import Any

from context import Context
from targets import number, target

TITLE = "aggregation of a user's events"
ABOUT = ""
