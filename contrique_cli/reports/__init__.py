"""Reports of scored photos: rows, tables, pages; written and read back."""
