"""Which version this is; told by the package, the command and the engine for Python."""

__version__ = "0.1.0"
