"""The recipe of one method: its learning rates and its adapters."""

from __future__ import annotations

from ..methods.method import Method
from .recipe import Recipe


def method_recipe(recipe: Recipe, method: Method) -> Recipe:
    """``recipe`` with the adapters and learning rates of ``method``.

    ``compare.learning_rate_factors`` replaces a method's own learning rate.
    """
    given = recipe.compare.learning_rate_factors.get(method.name)
    factors = method.learning_rate_factors(recipe.train.learning_rate_factors, given)
    training = recipe.train.replace(learning_rate_factors=factors)
    return recipe.replace(adapters=method.adapters(recipe.adapters), train=training)
