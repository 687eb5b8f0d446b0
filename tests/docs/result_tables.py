"""The tables of ``docs/results``, made of the JSON files that the benchmarks wrote: the pages must hold these lines.

    python tests/docs/result_tables.py [--write]

prints them; ``--write`` puts them into the pages, in the place of those that are there.
"""

from __future__ import annotations

import argparse

from accuracy_tables import ACCURACY_TABLES
from result_cells import Table
from time_tables import TIME_TABLES

TABLES: tuple[Table, ...] = (*ACCURACY_TABLES, *TIME_TABLES)


def main() -> None:
    parser = argparse.ArgumentParser(description="The tables of the pages of results.")
    parser.add_argument("--write", action="store_true", help="replace the rows of the tables in docs/results")
    write = parser.parse_args().write
    for table in TABLES:
        if write:
            text = table.written(table.path.read_text(encoding="utf-8"))
            table.path.write_text(text, encoding="utf-8", newline="\n")
        else:
            print(f"\n{table.page}, {table.section}", *table.rows(), sep="\n")


if __name__ == "__main__":
    main()
