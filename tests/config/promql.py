"""Reads PromQL with a parser: which series an expression reads, and what it compares."""

import re
from functools import cache
from typing import Any, Final

import promql_parser as parser

Matchers = tuple[tuple[str, str, str], ...]
"""Label, operator, value."""

_WINDOW: Final = re.compile(r"\$__(?:rate_interval|interval|range)\b|\$\{__(?:rate_interval|interval|range)\}")
_OPERATORS: Final = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_COMPARISONS: Final = {"==", "!=", ">", "<", ">=", "<="}


def metric_names(expr: str) -> set[str]:
    """The names of the metrics that an expression reads."""
    return {name for name, _ in matched_labels(expr)}


def matched_labels(expr: str) -> list[tuple[str, set[str]]]:
    """(metric, labels that its selector names) for each selector of an expression."""
    return [(str(found.name or ""), {str(one.name) for one in found.matchers.matchers}) for found in _selectors(expr)]


def selected(expr: str) -> list[tuple[str, Matchers]]:
    """(metric, its matchers) of each selector of an expression."""
    return [
        (str(found.name or ""), tuple((str(one.name), _OPERATORS[str(one.op)], str(one.value)) for one in found.matchers.matchers))
        for found in _selectors(expr)
    ]


def shown(name: str, matchers: Matchers) -> str:
    """A selector as people write it."""
    return f"{name}{{{', '.join(f'{label}{operator}{chr(34)}{value}{chr(34)}' for label, operator, value in matchers)}}}"


def compared(expr: str) -> list[str]:
    """What an expression compares with something: each side that isn't a plain number."""
    sides = []
    for found in _nodes(expr, parser.BinaryExpr):
        if str(found.op) in _COMPARISONS:
            sides += [side for side in (found.lhs, found.rhs) if not isinstance(side, parser.NumberLiteral)]
    return [side.prettify() for side in sides]


def _selectors(expr: str) -> list[parser.VectorSelector]:
    return _nodes(expr, parser.VectorSelector)


@cache
def _tree(expr: str) -> parser.Expr:
    tree: parser.Expr = parser.parse(_WINDOW.sub("5m", expr))
    return tree


def _nodes(expr: str, kind: type) -> list[Any]:
    found: list[Any] = []

    def visit(node: parser.Expr) -> bool:
        if isinstance(node, kind):
            found.append(node)
        return True

    parser.walk(_tree(expr), visit)
    return found
