"""Measures how the rate of embedding grows with the actors of a Ray cluster.

Usage: python -m benchmarks.on_ray ACTORS,ACTORS,… [PASSAGES] [--real]

The collection is made (see benchmarks.moving), in a PostgreSQL that is started in a temporary folder. By default the model is
one that sleeps 50 ms a passage, so that any number of actors fits one machine; the cluster then has as many cores as the most
actors. `--real`: the small model, an actor a core, so that there are no more actors than cores. The rate is that between the
first tenth and the last: what starts and what ends is left out.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.moving import make
from searchkit.catalog.vectors import remove_vectors
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.open_models import OpenModels
from searchkit.embedding.store import BUNDLED
from searchkit.ingest.on_ray import RayCluster, connected
from searchkit.library import Library
from searchkit.maintenance.move import move_collection
from tests.support.hash_embedder import HashEmbedder
from tests.support.postgres import empty_database

_SECONDS_A_PASSAGE = 0.05


def main() -> None:
    """Measure each number of actors, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("actors", type=lambda text: [int(number) for number in text.split(",")])
    parser.add_argument("passages", type=int, nargs="?", default=20_000)
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": max(options.actors), "include_dashboard": False}
    )
    try:
        with tempfile.TemporaryDirectory() as place, empty_database() as url, Library(Path(place)) as library:
            make(library, options.passages)
            move_collection(library, "made", url, lambda _: None)
            embedder: Embedder = library.models.open(BUNDLED) if options.real else HashEmbedder(64, _SECONDS_A_PASSAGE)
            models = OpenModels(library.models, None if options.real else embedder)
            for actors in options.actors:
                rate = measured(
                    library, RayCluster(library.collection("made").folder, models, 1, actors), embedder, cluster.address
                )
                print(f"{actors} actors: {rate:,.1f} passages a second", flush=True)
    finally:
        cluster.shutdown()


def measured(library: Library, cluster: RayCluster, embedder: Embedder, address: str) -> float:
    """Passages a second, in the middle of embedding all."""
    seen: list[tuple[float, int]] = []
    with connected(address), library.collection("made").writing(lambda _: None, beside_others=True) as catalog:
        cluster(catalog, embedder, lambda done: seen.append((time.perf_counter(), done.passages)))
        with catalog.transaction():
            remove_vectors(catalog, embedder.info.fingerprint)
    middle = [each for each in seen if 0.1 < each[1] / seen[-1][1] < 0.9]
    return (middle[-1][1] - middle[0][1]) / (middle[-1][0] - middle[0][0])


if __name__ == "__main__":
    main()
