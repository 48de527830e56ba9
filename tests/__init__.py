"""The tests. This file keeps tests/connector from shadowing the package of that name."""
