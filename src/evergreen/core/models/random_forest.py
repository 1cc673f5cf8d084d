"""A random forest, updated by more trees grown on the rows of the update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any, Self

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree._tree import NODE_DTYPE, Tree

from evergreen.core.models.base import Estimator, Files
from evergreen.core.models.validation import FloatArray, Matrix
from evergreen.errors import ModelError
from evergreen.settings.estimators import RandomForestSettings

FILE = "trees.npy"
UPDATE = "update-{:05}.npy"
NODE = np.dtype(
    [
        ("left", "<i4"),
        ("right", "<i4"),
        ("feature", "<i4"),
        ("missing_left", "?"),
        ("threshold", "<f8"),
        ("value", "<f8"),
    ]
)
"""A node: its children, numbered through all trees of a forest, or -1 in a leaf; the column and the
threshold that divide its rows; whether missing values go left; and the mean label of its rows."""
LEAF = -1


@dataclass(frozen=True)
class Forest:
    """The nodes of all trees of a fitted forest, each tree's after those of the tree before.

    Nodes are arrays in a file, and no pickle: loading one runs no code. A parent precedes its
    children, and the first node of a tree is nobody's child.
    """

    nodes: np.ndarray
    columns: int

    @classmethod
    def of(cls, forest: Any) -> Self:  # noqa: ANN401 - scikit-learn has no types
        """Read the nodes of a fitted forest of scikit-learn, of two classes or of one amount."""
        trees = [estimator.tree_ for estimator in forest.estimators_]
        nodes = np.zeros(sum(tree.node_count for tree in trees), NODE)
        start = 0
        for tree in trees:
            of_tree = nodes[start : start + tree.node_count]
            is_leaf = tree.children_left == LEAF
            for side in ("left", "right"):
                children = getattr(tree, f"children_{side}")
                of_tree[side] = np.where(is_leaf, LEAF, children + start)
            of_tree["feature"] = np.where(is_leaf, 0, tree.feature)
            of_tree["threshold"] = np.where(is_leaf, 0.0, tree.threshold)
            of_tree["missing_left"] = tree.missing_go_to_left
            of_tree["value"] = tree.value[:, 0, -1]
            start += tree.node_count
        return cls(nodes, forest.n_features_in_)

    @classmethod
    def from_bytes(cls, data: bytes, columns: int) -> Self:
        """Read the content of a file.

        Raises
        ------
        ModelError
            If it is not a forest of that many columns.
        """
        try:
            nodes = np.load(BytesIO(data), allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ModelError(f"the trees of a random forest are not readable: {error}") from None
        if nodes.dtype != NODE or nodes.ndim != 1 or not _are_trees(nodes, columns):
            raise ModelError(f"expected the trees of a random forest of {columns} columns")
        return cls(nodes, columns)

    def to_bytes(self) -> bytes:
        """The content of a file: an array in NumPy's format."""
        buffer = BytesIO()
        np.save(buffer, self.nodes, allow_pickle=False)
        return buffer.getvalue()

    @cached_property
    def trees(self) -> list[Any]:
        """The trees, of scikit-learn, which does not check what it is given."""
        starts = np.flatnonzero(_roots(self.nodes))
        of_trees = np.split(self.nodes, starts[1:])
        return [self._tree(*tree) for tree in zip(of_trees, starts.tolist(), strict=True)]

    def predict(self, matrix: Matrix) -> FloatArray:
        """The mean of the trees' values (n,), added up in their order, as scikit-learn does."""
        narrow = np.ascontiguousarray(matrix, dtype=np.float32)
        total = np.zeros(len(matrix))
        for tree in self.trees:
            total += tree.predict(narrow)[:, 0]
        return total / len(self.trees)

    def _tree(self, nodes: np.ndarray, start: int) -> Any:  # noqa: ANN401 - as above
        is_leaf = nodes["left"] == LEAF
        made = np.zeros(len(nodes), NODE_DTYPE)
        made["left_child"] = np.where(is_leaf, LEAF, nodes["left"] - start)
        made["right_child"] = np.where(is_leaf, LEAF, nodes["right"] - start)
        for name in ("feature", "threshold"):
            made[name] = nodes[name]
        made["missing_go_to_left"] = nodes["missing_left"]
        tree = Tree(self.columns, np.ones(1, dtype=np.intp), 1)
        values = nodes["value"].reshape(-1, 1, 1).copy()
        state = {"max_depth": 0, "node_count": len(made), "nodes": made, "values": values}
        tree.__setstate__(state)
        return tree


def _roots(nodes: np.ndarray) -> np.ndarray:
    roots = np.ones(len(nodes), dtype=bool)
    for side in ("left", "right"):
        roots[nodes[side][nodes[side] != LEAF]] = False
    return roots


def _are_trees(nodes: np.ndarray, columns: int) -> bool:
    """Whether each walk from a root ends at a leaf, over nodes and columns that exist."""
    places = np.flatnonzero(nodes["left"] != LEAF)
    splits = nodes[places]
    sides = splits["left"], splits["right"]
    children = np.concatenate(sides)
    if not (
        len(nodes)
        and np.isfinite(nodes["value"]).all()
        and not np.isnan(nodes["threshold"]).any()
        and (nodes["right"] == LEAF).sum() == len(nodes) - len(splits)
        and all(((side > places) & (side < len(nodes))).all() for side in sides)
        and len(np.unique(children)) == len(children)
        and ((splits["feature"] >= 0) & (splits["feature"] < columns)).all()
    ):
        return False
    tree = np.cumsum(_roots(nodes))
    return all((tree[side] == tree[places]).all() for side in sides)


class RandomForest(Estimator):
    """scikit-learn's random forest: the mean of its trees' shares, or of their mean amounts.

    The trees of an update are a forest of their own, and every tree has one vote. ``warm_start``
    does the same, but fails on a day of one class: the old trees' other class is unknown then.

    Source: Breiman, "Random Forests", Machine Learning 45 (2001).
    """

    name = "random_forest"
    settings_class = RandomForestSettings
    settings: RandomForestSettings
    _parts: tuple[Forest, ...]

    def _fit(self, matrix: Matrix, labels: FloatArray) -> None:
        self._parts = (self._grow(self.settings.trees, matrix, labels),)

    def _update(self, matrix: Matrix, labels: FloatArray) -> None:
        self._parts = (*self._parts, self._grow(self.settings.update_trees, matrix, labels))

    def _predict(self, matrix: Matrix) -> FloatArray:
        votes = [len(part.trees) for part in self._parts]
        total = np.zeros(len(matrix))
        for part, number in zip(self._parts, votes, strict=True):
            total += number * part.predict(matrix)
        return np.asarray(total / sum(votes), dtype=np.float64)

    def _to_files(self) -> Files:
        first, *updates = (part.to_bytes() for part in self._parts)
        return {FILE: first} | {UPDATE.format(k): data for k, data in enumerate(updates, 1)}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        updates = sorted(name for name in files if name.startswith("update-"))
        columns = len(self.columns)
        self._parts = tuple(Forest.from_bytes(files[name], columns) for name in (FILE, *updates))

    def _grow(self, trees: int, matrix: Matrix, labels: FloatArray) -> Forest:
        settings = self.settings
        forest_class = RandomForestClassifier if self.kind == "binary" else RandomForestRegressor
        forest = forest_class(
            n_estimators=trees,
            max_depth=settings.max_depth,
            min_samples_leaf=settings.min_samples_leaf,
            max_features=settings.max_features,
            n_jobs=self.threads,
            random_state=(self.seed + self.updates) % 2**32,
        )
        return Forest.of(forest.fit(matrix, labels))
