"""A source that is obviously right: runs a fragment over rows in plain Python, one cell at a time.

Rows are mappings from column name to value; every expression of a fragment is a column name, ``record_key`` too.
It knows no joins. For tests of what stands above a connector, and to compare connectors with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pyarrow as pa

from catalogue.fragment import (
    RECORD_KEY_MODULUS,
    Axis,
    Column,
    Condition,
    Fragment,
    Grid,
    Histogram,
    Magnitude,
    Measure,
    RawCells,
    Tally,
)

Row = Mapping[str, Any]
WEIGHT = Decimal("0.000000")
"""No weight, with the decimals that weights have."""


def run(fragment: Fragment, rows: Sequence[Row], snapshot: str = "snapshot-1") -> RawCells:
    """The raw cells of a fragment over rows."""
    depth = max(len(block.axes) for block in fragment.blocks)
    cells: list[dict[str, Any]] = []
    histograms: dict[str, list[dict[str, Any]]] = {
        s.id: [] for s in fragment.statistics if isinstance(s, Histogram)
    }
    kept = [row for row in rows if _meets(row, fragment.where)]
    for number, block in enumerate(fragment.blocks):
        members: dict[tuple[int, ...], list[Row]] = defaultdict(list)
        for row in kept:
            parts = tuple(_part(axis, row) for axis in block.axes if isinstance(axis, Axis))
            if -1 not in parts:
                members[parts].append(row)
        for parts, group in sorted(members.items()):
            place = {"block": number} | {f"p{i}": parts[i] if i < len(parts) else None for i in range(depth)}
            cell = dict(place)
            for statistic in fragment.statistics:
                chosen = [row for row in group if _meets(row, statistic.where)]
                if isinstance(statistic, Histogram):
                    for bin_, inside in sorted(_bins(statistic, chosen).items()):
                        entry = {**place, "bin": bin_, "n": len(inside)}
                        histograms[statistic.id].append(entry | _weights(fragment, inside, ("w",)))
                else:
                    values = _statistic(fragment, statistic, chosen)
                    cell |= {f"{statistic.id}_{name}": value for name, value in values.items()}
            cells.append(cell)
    place = dict.fromkeys(("block", *(f"p{i}" for i in range(depth))), 0)
    empty_bin = place | {"bin": 0, "n": 0} | _weights(fragment, [], ("w",))
    empty = dict(place)
    for statistic in fragment.statistics:
        if not isinstance(statistic, Histogram):
            zero = _zero(statistic.measure) if statistic.measure else Decimal(0)
            nobody = _statistic(fragment, statistic, [])
            empty |= {f"{statistic.id}_{k}": zero if v is None else v for k, v in nobody.items()}
    tables = {name: _table(entries, empty_bin) for name, entries in histograms.items()}
    return RawCells(_table(cells, empty), tables, snapshot)


def _statistic(fragment: Fragment, statistic: Tally | Magnitude, rows: list[Row]) -> dict[str, Any]:
    measure = statistic.measure
    valued = [row for row in rows if measure is None or _value(measure, row) is not None]
    if isinstance(statistic, Tally):
        return _contributors(fragment, valued) | _weights(fragment, valued, ("w", "w2"))
    assert measure is not None
    nonzero = [row for row in valued if _value(measure, row) != 0]
    values = [_number(measure, row) for row in valued]
    holdings: dict[object, Decimal] = defaultdict(Decimal)
    owner = fragment.holding or fragment.unit
    for number, row in enumerate(valued):
        holdings[row[owner.expression] if owner else number] += _number(measure, row)
    top = sorted((abs(total) for total in holdings.values()), reverse=True)
    result = _contributors(fragment, nonzero) | {"present": len(valued), "sum": sum(values, _zero(measure))}
    for rank in range(statistic.top):
        result[f"top{rank + 1}"] = top[rank] if rank < len(top) else _zero(measure)
    if statistic.squares:
        result["sumsq"] = sum((value**2 for value in values), _zero(measure) * _zero(measure))
        result |= {"low": min(values, default=None), "high": max(values, default=None)}
    if fragment.weight is not None:
        pairs = [(_number(measure, row), Decimal(row[fragment.weight.expression])) for row in valued]
        result |= _weights(fragment, valued, ("w", "w2"))
        result["wsum"] = sum((value * weight for value, weight in pairs), _zero(measure) * WEIGHT)
        result["wsumsq"] = float(sum((value * value * weight for value, weight in pairs), Decimal(0)))
    return result


def _contributors(fragment: Fragment, rows: list[Row]) -> dict[str, int]:
    keys = {
        row[fragment.unit.expression] if fragment.unit else number: row[fragment.record_key.expression]
        for number, row in enumerate(rows)
    }
    result = {"n": len(keys), "key": sum(keys.values()) % RECORD_KEY_MODULUS}
    if fragment.second_unit is not None:
        second = len({row[fragment.second_unit.expression] for row in rows})
        result["second"] = min(second, fragment.enough_second_units or second)
    return result


def _weights(fragment: Fragment, rows: Iterable[Row], names: tuple[str, ...]) -> dict[str, Decimal]:
    if fragment.weight is None:
        return {}
    weights = [Decimal(row[fragment.weight.expression]) for row in rows]
    totals = {"w": sum(weights, WEIGHT), "w2": sum((w * w for w in weights), WEIGHT * WEIGHT)}
    return {name: totals[name] for name in names}


def _bins(statistic: Histogram, rows: list[Row]) -> dict[int, list[Row]]:
    bins: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if _value(statistic.measure, row) is not None:
            bins[_bin(statistic.grid, _number(statistic.measure, row))].append(row)
    return bins


def _bin(grid: Grid, value: Decimal) -> int:
    return min(max(int((value - grid.minimum) // grid.step), 0), grid.bins - 1)


def _value(measure: Measure, row: Row) -> object:
    return 1 if measure.field is None else row[measure.field.expression]


def _number(measure: Measure, row: Row) -> Decimal:
    return Decimal(str(_value(measure, row))).quantize(_zero(measure), ROUND_HALF_UP)


def _zero(measure: Measure) -> Decimal:
    return Decimal(0).scaleb(-measure.decimals)


def _meets(row: Row, conditions: Iterable[object]) -> bool:
    return all(isinstance(c, Condition) and _leaf(c.column, row) in set(c.leaves) for c in conditions)


def _part(axis: Axis, row: Row) -> int:
    leaf = _leaf(axis.column, row)
    return -1 if leaf is None else axis.parts[leaf]


def _leaf(column: Column, row: Row) -> int | None:
    value = row[column.field.expression]
    if column.grid is not None and value is not None:
        return _bin(column.grid, Decimal(str(value)))
    return column.values.index(value) if value in column.values else None


def _table(entries: list[dict[str, Any]], empty: dict[str, Any]) -> pa.Table:
    """The entries as a table; ``empty`` gives names and types, of a source without anybody too."""
    return pa.table(
        {name: pa.array([e[name] for e in entries], _type(name, value)) for name, value in empty.items()}
    )


def _type(name: str, value: object) -> pa.DataType:
    if name == "block" or (name[0] == "p" and name[1:].isdigit()):
        return pa.int32()
    if isinstance(value, Decimal):
        return pa.decimal128(38, -int(value.as_tuple().exponent))
    return pa.float64() if isinstance(value, float) else pa.int64()
