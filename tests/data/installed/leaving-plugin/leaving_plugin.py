"""A plugin that ends the process when it is imported, as a script without a guard does."""

from __future__ import annotations

import sys

sys.exit(3)
