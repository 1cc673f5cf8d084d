"""Settings of each estimator; importing this loads no learning library."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field

from evergreen.settings.base import Section
from evergreen.settings.names import EstimatorName, TextForm

Count = Annotated[int, Field(ge=1, le=100_000)]
Trees = Annotated[int, Field(ge=1, le=10_000)]
Epochs = Annotated[int, Field(ge=1, le=1000)]
Rate = Annotated[float, Field(gt=0, le=1)]
Penalty = Annotated[float, Field(ge=0, le=1e6)]

TextFeatures = Annotated[
    TextForm,
    Field(
        description="Text features to learn from: the terms reduced to a few columns (components), "
        "or each term as a column (terms)"
    ),
]


class OneEstimatorSettings(Section):
    """Settings that every estimator has."""

    text: TextFeatures

    def expecting(self, expected: Mapping[str, object] | None, columns: Collection[str]) -> Self:
        """Add the column that says what to expect, for an estimator that makes use of it.

        Parameters
        ----------
        expected
            The fields of `ExpectedColumn`, if there is such a column.
        columns
            The columns that the estimator will see.
        """
        del expected, columns
        return self


class LightGBMSettings(OneEstimatorSettings):
    """Gradient-boosted trees by LightGBM.

    There are few rows per client, they overlap in time, and the days to predict come after all of
    them, so small trees with large leaves do best: over dates of three retailers, 15 leaves of 50
    rows at a learning rate of 0.05 had a 4 to 6 % higher loss on average.
    """

    text: TextFeatures = "components"
    rounds: Count = Field(200, description="Trees in a full fit")
    learning_rate: Rate = Field(0.03, description="Learning rate of a full fit")
    num_leaves: int = Field(7, ge=2, le=4096, description="Maximum number of leaves of a tree")
    min_child_samples: Count = Field(100, description="Minimum number of rows in a leaf")
    feature_fraction: Rate = Field(0.5, description="Share of the columns that each tree may use")
    lambda_l2: Penalty = Field(10.0, description="L2 penalty on leaf values")
    update: Literal["continue", "refit"] = Field(
        "continue",
        description="How an update learns: by adding trees (continue), or by adjusting the leaf "
        "values of the existing trees (refit)",
    )
    update_rounds: Count = Field(10, description="Trees that an update adds")
    update_learning_rate: Rate = Field(0.02, description="Learning rate of an update")
    update_level_penalty: Penalty = Field(
        100.0,
        description="How strongly an update resists shifting all predictions at once: the weight "
        "of no shift, where each row has the weight p (1 - p)",
    )
    refit_decay: float = Field(
        0.9, ge=0, le=1, description="Share of the old leaf value that a refit keeps"
    )


class RandomForestSettings(OneEstimatorSettings):
    """A random forest that grows by some trees at each update."""

    text: TextFeatures = "terms"
    trees: Trees = Field(250, description="Trees in a full fit")
    max_depth: int = Field(20, ge=1, le=100, description="Maximum depth of a tree")
    min_samples_leaf: Count = Field(20, description="Minimum number of rows in a leaf")
    max_features: Rate | Literal["sqrt"] = Field(
        "sqrt",
        description="Columns tried at each split: a share of them, or the square root of their "
        "number (sqrt)",
    )
    update_trees: Trees = Field(
        50, description="Trees that an update adds, grown on the rows of the update alone"
    )


class LinearSettings(OneEstimatorSettings):
    """A linear model fitted by stochastic gradient descent."""

    text: TextFeatures = "components"
    epochs: Epochs = Field(10, description="Passes over the rows in a full fit")
    min_steps: int = Field(
        2000,
        ge=1,
        le=1_000_000,
        description="Minimum number of steps of a full fit, of 64 rows each; with few rows this "
        "takes more passes",
    )
    learning_rate: Rate = Field(
        0.02, description="Initial learning rate; it keeps shrinking, in updates too"
    )
    alpha: Penalty = Field(0.05, description="Strength of the L2 penalty")
    update_epochs: Epochs = Field(5, description="Passes over the rows in an update")


class ExpectedColumn(Section):
    """A column from which the label can be predicted as offset + slope x column."""

    column: str
    offset: float
    slope: float
    where_unknown: float = Field(description="The prediction where the column is missing")


class BlendSettings(OneEstimatorSettings):
    """LightGBM and the linear model with their own settings, and a column both are pulled to."""

    text: TextFeatures = "components"
    lightgbm: LightGBMSettings = LightGBMSettings()
    linear: LinearSettings = LinearSettings()
    expected: ExpectedColumn | None = Field(
        None, description="Prediction of a model that learns from no labels; set by the stage"
    )

    def expecting(self, expected: Mapping[str, object] | None, columns: Collection[str]) -> Self:
        """Add that column as a third component, if the model sees it."""
        if expected is None or expected["column"] not in columns:
            return self
        return self.model_copy(update={"expected": ExpectedColumn.model_validate(expected)})


class EstimatorSettings(Section):
    """Settings of each estimator; a blend uses those of its components."""

    lightgbm: LightGBMSettings = Field(default_factory=LightGBMSettings)
    random_forest: RandomForestSettings = Field(default_factory=RandomForestSettings)
    linear: LinearSettings = Field(default_factory=LinearSettings)

    def of(self, name: EstimatorName) -> OneEstimatorSettings:
        """Return the settings of one estimator; a blend uses text as LightGBM does."""
        if name == "blend":
            return BlendSettings(
                text=self.lightgbm.text, lightgbm=self.lightgbm, linear=self.linear
            )
        settings: OneEstimatorSettings = getattr(self, name)
        return settings
