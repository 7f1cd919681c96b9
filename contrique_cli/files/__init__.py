"""Files on the disk: read, written whole or not at all, whatever they hold."""
