"""The book: chapters run by papermill, pages rendered from what ran."""
