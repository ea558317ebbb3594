"""The listings that chunks found as their rows want them, and the lines of these rows; see ``LeftAlone``."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.queries import BatchKey, binary, each
from app.queries.listings.listings import KEY
from app.queries.status_sets import GIVEN_UP, UNFINISHED_BATCHES


class LineMarks(NamedTuple):
    """The rows of an import that name a listing: an element for each listing in each array."""

    #: The highest line of them.
    lines: NDArray[np.int32]
    #: The highest line of those that have a HIDDEN, or 0.
    hidden_lines: NDArray[np.int32]


def record(batch: BatchKey, unchanged: pa.Table) -> None:
    """Record the listings that a chunk has locked and left as they are.

    ``unchanged`` has the columns of the listing key, ``line`` and ``hidden_line``. Not needed once all earlier
    batches have finished and none was given up (an operator could reopen it): no lower line can come any more.
    """
    query = f"""
        insert into left_alone
            (seller_id, import_id, number, first_line, item_ids, conditions, variants, lines, hidden_lines)
        select %(seller_id)s, %(import_id)s, %(number)s, %(first_line)s, %(item_id)b::int[],
            %(condition)b::smallint[], %(variants)b::text[], %(line)b::int[], %(hidden_line)b::int[]
        where exists (
            select 1 from batches b
            where b.seller_id = %(seller_id)s and b.import_id = %(import_id)s and b.number < %(number)s
              and (b.status in {UNFINISHED_BATCHES} or {GIVEN_UP}))
    """
    binary.execute(query, batch, **binary.as_arrays(unchanged), first_line=pc.min(unchanged["line"]).as_py())


def find(batch: BatchKey, keys: pa.Table) -> LineMarks:
    """The marks on the listings with these ``keys`` of the rows in later batches that have left them unchanged so far.

    They are 0 where there are none. This transaction must have locked the listings: who leaves one unchanged does so
    too, until it is recorded.
    """
    marks = LineMarks(np.zeros(len(keys), np.int32), np.zeros(len(keys), np.int32))
    query = f"""
        select array_agg(number::int - 1) as at, array_agg(line) as lines, array_agg(hidden_line) as hidden_lines
        from (
            select k.number, max(a.line) as line, max(a.hidden_line) as hidden_line
            from left_alone l
            cross join unnest(l.item_ids, l.conditions, l.variants, l.lines, l.hidden_lines)
                as a ({", ".join(KEY)}, line, hidden_line)
            join {binary.unnest(keys.schema)} on ({each("k", KEY)}) = ({each("a", KEY)})
            where l.seller_id = %(seller_id)s and l.import_id = %(import_id)s and l.number > %(batch)s
            group by k.number
        ) found
    """
    found = binary.execute(query, batch.of_import, **binary.as_arrays(keys), batch=batch.number)
    marks.lines[found["at"]], marks.hidden_lines[found["at"]] = found["lines"], found["hidden_lines"]
    return marks
