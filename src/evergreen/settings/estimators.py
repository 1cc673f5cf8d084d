"""What may be chosen for each estimator; reading this imports no learning library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Kind = Literal["binary", "regression"]
EstimatorName = Literal["lightgbm", "random_forest", "linear", "blend"]
TextForm = Literal["components", "terms"]

Count = Annotated[int, Field(ge=1, le=100_000)]
Rate = Annotated[float, Field(gt=0, le=1)]
Penalty = Annotated[float, Field(ge=0, le=1e6)]


class OneEstimatorSettings(BaseModel):
    """What holds for every estimator.

    Attributes
    ----------
    text
        Whether the model takes the few columns that the TF-IDF terms are reduced to, or the terms
        themselves. The estimator only sees columns: this is for the stage that makes them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    text: TextForm

    def expecting(self, found: Mapping[str, object] | None, columns: Collection[str]) -> Self:
        """With the column that tells what to expect, for an estimator that makes use of it.

        Parameters
        ----------
        found
            The fields of `ExpectedColumn`, if there is one.
        columns
            What the estimator will see.
        """
        del found, columns
        return self


class LightGBMSettings(OneEstimatorSettings):
    """Boosted trees by LightGBM.

    The rows are few per client, overlap in time and come from the past of the days to be
    predicted, so small trees with large leaves win: measured over dates of three retailers,
    15 leaves of 50 rows at a learning rate of 0.05 were 4 to 6 % worse in loss on average.

    Attributes
    ----------
    rounds, learning_rate, num_leaves, min_child_samples, feature_fraction, lambda_l2
        Of the full fit, as in LightGBM.
    update
        ``continue`` grows `update_rounds` trees on the rows of an update, with a learning rate of
        their own; ``refit`` keeps the trees and moves their leaves towards those rows.
    update_level_penalty
        How hard it is for an update to move the level of all predictions at once: it is moved as
        if rows with so much curvature (p (1 - p) each) asked for no change.
    refit_decay
        The share of the old leaf value that a refit keeps.
    """

    text: TextForm = "components"
    rounds: Count = 200
    learning_rate: Rate = 0.03
    num_leaves: Annotated[int, Field(ge=2, le=4096)] = 7
    min_child_samples: Count = 100
    feature_fraction: Rate = 0.5
    lambda_l2: Penalty = 10.0
    update: Literal["continue", "refit"] = "continue"
    update_rounds: Count = 10
    update_learning_rate: Rate = 0.02
    update_level_penalty: Penalty = 100.0
    refit_decay: Annotated[float, Field(ge=0, le=1)] = 0.95


class RandomForestSettings(OneEstimatorSettings):
    """A random forest that grows by some trees at each update.

    Attributes
    ----------
    trees, max_depth, min_samples_leaf, max_features
        As in scikit-learn; `max_features` is the share of the columns tried at a split, or the
        square root of their number.
    update_trees
        Trees that an update adds, grown on its rows alone.
    """

    text: TextForm = "terms"
    trees: Annotated[int, Field(ge=1, le=10_000)] = 250
    max_depth: Annotated[int, Field(ge=1, le=100)] = 20
    min_samples_leaf: Count = 20
    max_features: Rate | Literal["sqrt"] = "sqrt"
    update_trees: Annotated[int, Field(ge=1, le=10_000)] = 50


class LinearSettings(OneEstimatorSettings):
    """A linear model by stochastic gradient descent.

    Attributes
    ----------
    epochs, update_epochs
        Passes over the rows of a full fit, and of an update.
    min_steps
        A full fit takes at least so many steps, of 64 rows each, in as many more passes.
    learning_rate
        Of the first steps; it shrinks by itself, over updates too.
    alpha
        Strength of the L2 penalty.
    """

    text: TextForm = "components"
    epochs: Annotated[int, Field(ge=1, le=1000)] = 10
    min_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    learning_rate: Rate = 0.02
    alpha: Penalty = 0.05
    update_epochs: Annotated[int, Field(ge=1, le=1000)] = 5


class ExpectedColumn(BaseModel):
    """A column that tells what to expect of the label: offset + slope x column.

    Attributes
    ----------
    where_unknown
        What to expect where the column is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    column: str
    offset: float
    slope: float
    where_unknown: float


class BlendSettings(OneEstimatorSettings):
    """LightGBM and the linear model, each with its own settings, and a column to hold them to.

    Attributes
    ----------
    text
        For both of them.
    expected
        What a model that has not learned from labels expects; the stage finds it.
    """

    text: TextForm = "components"
    lightgbm: LightGBMSettings = LightGBMSettings()
    linear: LinearSettings = LinearSettings()
    expected: ExpectedColumn | None = None

    def expecting(self, found: Mapping[str, object] | None, columns: Collection[str]) -> Self:
        """With that column as a third member, if the model sees it."""
        if found is None or found["column"] not in columns:
            return self
        return self.model_copy(update={"expected": ExpectedColumn.model_validate(found)})


class EstimatorSettings(BaseModel):
    """The settings of each estimator, under its name; a blend has those of its members."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    lightgbm: LightGBMSettings = LightGBMSettings()
    random_forest: RandomForestSettings = RandomForestSettings()
    linear: LinearSettings = LinearSettings()

    def of(self, name: EstimatorName) -> OneEstimatorSettings:
        """The settings of the estimator of that name; a blend takes the text as LightGBM does."""
        if name == "blend":
            return BlendSettings(
                text=self.lightgbm.text, lightgbm=self.lightgbm, linear=self.linear
            )
        settings: OneEstimatorSettings = getattr(self, name)
        return settings
