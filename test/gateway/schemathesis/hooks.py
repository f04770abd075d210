"""What schemathesis is told by a module, beside its configuration file."""

import schemathesis

CONDITIONS = ("if-match", "if-none-match")


@schemathesis.serializer("application/x-ndjson")
def serialize_lines(context, value):
    """The document has lines as one text."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else str(value).encode()


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what says nothing about the service."""
    headers = {name.lower(): value for name, value in (case.headers or {}).items()}
    # taken for white space by the HTTP library at the ends of a value, and waited on within
    if not all(str(value).isascii() and str(value).isprintable() for value in headers.values()):
        return False
    # made for a value that is as the schema says, which it is not
    return all(headers.get(name) != "" for name in CONDITIONS)
