"""What goes wrong."""


class Error(RuntimeError):
    """A failure of Ingot: one line that names the value that is wrong and the fix.

    `code` is one of gRPC's canonical names: "INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED", "CANCELLED", …
    """

    def __init__(self, message: str, code: str = "UNKNOWN"):
        super().__init__(message)
        self.code = code
