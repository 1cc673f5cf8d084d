"""Estimators behind one small face, chosen by name.

>>> from evergreen.core import estimators
>>> estimators.NAMES
('lightgbm', 'hist_gradient_boosting', 'random_forest', 'linear', 'blend')
"""

from evergreen.core.estimators.base import Estimator
from evergreen.core.estimators.columns import FeatureMismatchError
from evergreen.core.estimators.registry import NAMES, build, estimator_class, load
from evergreen.core.estimators.settings import EstimatorSettings, OneEstimatorSettings

__all__ = [
    "NAMES",
    "Estimator",
    "EstimatorSettings",
    "FeatureMismatchError",
    "OneEstimatorSettings",
    "build",
    "estimator_class",
    "load",
]
