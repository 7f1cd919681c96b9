"""What is done with photos once they are scored: grouped, rated, selected, moved, put back."""
