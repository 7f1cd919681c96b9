"""Millions of photos in tar, Parquet and folders, on this machine or many: a result per shard."""
