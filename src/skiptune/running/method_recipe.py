"""The recipe of one method: its learning rates and its adapters."""

from __future__ import annotations

from ..methods.method import Method
from .recipe import Recipe


def method_recipe(recipe: Recipe, method: Method) -> Recipe:
    """``recipe`` with the adapters and learning rates of ``method``.

    ``compare.learning_rate_factors`` replaces a method's own learning rate.
    """
    given = dict[str, float](recipe.compare.learning_rate_factors.items()).get(method.name)
    factors = method.learning_rate_factors(dict(recipe.train.learning_rate_factors.items()), given)
    training = recipe.train.replace(learning_rate_factors=factors)
    return recipe.replace(adapters=method.adapters(recipe.adapters), train=training)
