"""`searchkit eval compare`."""

from pathlib import Path

import click

from searchkit.cli.output import print_json


@click.command(short_help="Compare two TREC run files on the same judgements.")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option("--qrels", required=True, type=click.Path(path_type=Path), help="Judgements: qrels/test.tsv, or TREC's.")
@click.option("--queries", "queries_file", type=click.Path(path_type=Path), help="queries.jsonl, to show their texts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (fields: see docs/json.md).")
def compare(run_a: Path, run_b: Path, *, qrels: Path, queries_file: Path | None, as_json: bool) -> None:
    """Compare two TREC run files on the same judgements: is B better than A, by how much, on which queries?

    They may be of any system. Judged queries that a run lacks count as 0.

    \b
    Example:
      searchkit eval compare before/scifact.hybrid.trec after/scifact.hybrid.trec \\
        --qrels scifact/qrels/test.tsv --queries scifact/queries.jsonl
    """
    from searchkit.evaluate.beir import json_objects
    from searchkit.evaluate.retrieval.compare import compare_runs, comparison_as_json, comparison_as_text

    texts = (
        {str(row.get("_id")): str(row.get("text", "")) for row, _ in json_objects(queries_file)} if queries_file else {}
    )
    comparison = compare_runs(run_a, run_b, qrels, texts)
    if as_json:
        print_json([comparison_as_json(comparison)])
    else:
        click.echo(comparison_as_text(comparison))
