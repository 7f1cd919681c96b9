"""What people say of photos, what the scale learns from it, and how well scores follow."""
