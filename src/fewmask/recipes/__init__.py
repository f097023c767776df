"""Recipes: all settings of a run, how they are composed and settled, and the shipped YAML files."""

from fewmask.recipes.loading import load_recipe, load_run_recipe
from fewmask.recipes.recipe import Recipe
from fewmask.recipes.settling import settle

__all__ = ["Recipe", "load_recipe", "load_run_recipe", "settle"]
