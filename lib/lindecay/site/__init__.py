"""The book: chapters run by papermill, pages rendered from what ran."""

# jsonschema, which every notebook package imports, would compile 38 grammars (seconds
# of CPU) for a format of addresses that no notebook has. It goes on without: None in
# sys.modules makes its import fail, which it expects.
BLOCK = "import sys; sys.modules.setdefault('rfc3987_syntax', None)"
exec(BLOCK)
