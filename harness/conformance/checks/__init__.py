"""The checks, one function each: it raises `Violation` with what it saw. Its first line is the law it checks."""
