"""The linear parts of the classifier: how they are fitted, and how each scores a vector.

Knows vectors and numbers of classes, and nothing of texts or intents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array = NDArray[Any]
"""An array of NumPy's; which, the words around it say."""

WIDTH = 384
"""Numbers that one layer of the encoder gives; the last layer's come first."""
DENSE_STRENGTH = 30.0
"""How little the weights over sentence vectors are held back: the C of logistic regression."""
SPARSE_STRENGTH = 0.5
ITERATIONS = 50
"""After which logistic regression on sentence vectors no longer changes what it decides."""


def fit_logistic(vectors: Array, classes: Array, count: int) -> Array:
    """Multinomial logistic regression by L-BFGS in single precision.

    Args:
        vectors: n x d, about centred.
        classes: the class of each row, 0 to `count` - 1.
        count: how many classes there are.

    Returns:
        (d + 1) x `count`: weights, and the biases as the last row.
    """
    from scipy.optimize import minimize

    width = vectors.shape[1]
    wanted = np.eye(count, dtype=np.float32)[classes]

    def loss_and_slope(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(width + 1, count).astype(np.float32)
        scores = apply(weights, vectors)
        scores -= scores.max(axis=1, keepdims=True)
        powers = np.exp(scores)
        totals = powers.sum(axis=1, keepdims=True)
        errors = powers / totals - wanted
        slope = np.vstack([vectors.T @ errors, errors.sum(axis=0)]) * DENSE_STRENGTH
        slope[:-1] += weights[:-1]
        surprise = -float((wanted * (scores - np.log(totals))).sum())
        loss = DENSE_STRENGTH * surprise + 0.5 * float((weights[:-1] ** 2).sum())
        return loss, slope.ravel().astype(np.float64)

    start = np.zeros((width + 1) * count)
    options: Any = {"maxiter": ITERATIONS}
    found = minimize(loss_and_slope, start, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x, np.float32).reshape(width + 1, count)


def fit_margins(vectors: csr_matrix, classes: Array, count: int) -> Array:
    """Support vector machines, one class against the rest; weights and biases as `fit_logistic` gives them."""
    from sklearn.svm import LinearSVC

    fitted = np.full((vectors.shape[1] + 1, count), 0.0, np.float32)
    fitted[-1] = -1.0  # what is said of a class without an example
    present = np.unique(classes)
    if len(present) == 1:
        fitted[-1, present] = 1.0
        return fitted
    machine = LinearSVC(C=SPARSE_STRENGTH, random_state=0).fit(vectors, classes)
    weights = np.vstack([machine.coef_.T, machine.intercept_]).astype(np.float32)
    # of two classes it tells one score, which is high for the second
    fitted[:, present] = np.hstack([-weights, weights]) if len(present) == 2 else weights
    return fitted


def apply(weights: Array, vectors: Array) -> Array:
    """The scores, one row a vector and one column a class."""
    return np.asarray(vectors @ weights[:-1] + weights[-1])


def standardized(scores: Array) -> Array:
    """Each row with mean 0 and deviation 1, so that scores of different origin can be added."""
    spread = scores.std(axis=-1, keepdims=True)
    return np.asarray((scores - scores.mean(axis=-1, keepdims=True)) / np.maximum(spread, 1e-9))


def softmax(scores: Array) -> Array:
    """Probabilities, row by row."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def energy(scores: Array) -> Array:
    """The logarithm of the summed exponentials, row by row: high where any class fits well.

    Liu et al. 2020, "Energy-based out-of-distribution detection", https://arxiv.org/abs/2010.03759
    """
    largest = scores.max(axis=-1)
    return np.asarray(largest + np.log(np.exp(scores - largest[..., None]).sum(axis=-1)))
