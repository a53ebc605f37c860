"""What schemathesis is told beyond the description."""

import schemathesis
