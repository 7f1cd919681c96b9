"""Photos found on the disk and opened to the pixels that the encoder sees."""
