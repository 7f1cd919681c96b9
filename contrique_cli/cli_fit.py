"""The commands that learn from opinion scores: fit-regressor, evaluate."""


def fit_regressor() -> None:
    """TODO"""


def evaluate() -> None:
    """TODO"""
