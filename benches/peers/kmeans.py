"""Seconds that a round of spherical k-means takes with faiss-cpu, on the points of `benches/kmeans.rs`.

pip install faiss-cpu==1.15.1 numpy, then:

    python kmeans.py [POINTS] [CLUSTERS] [DIMENSION] [ROUNDS] [THREADS]

Both are run one after the other in one go; times on a shared machine mean nothing by themselves.
"""

import os
import sys
import time

import faiss
import numpy as np


def drawn(places):
    """Numbers from -1 to 1, as `drawn` in kmeans.rs."""
    places = places.astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (places ^ (places >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)


def points(count, clusters, dimension):
    """Rows of unit length, round `clusters` centres."""
    rows = np.empty((count, dimension), np.float32)
    at = np.arange(dimension)
    for start in range(0, count, 4096):
        own = np.arange(start, min(start + 4096, count))[:, None]
        near = drawn((1 << 40) + (own * 7919 % clusters) * dimension + at)
        rows[start : start + 4096] = near + drawn(own * dimension + at)
    faiss.normalize_L2(rows)
    return rows


def main():
    """Clusters and tells the time."""
    given = [int(argument) for argument in sys.argv[1:]]
    count, clusters, dimension, rounds, threads = given + [1_000_000, 1000, 512, 5, os.cpu_count()][len(given) :]
    faiss.omp_set_num_threads(threads)
    rows = points(count, clusters, dimension)
    print(f"{count} points of {dimension}, k {clusters}, {threads} threads, faiss {faiss.__version__}")
    kmeans = faiss.Kmeans(
        dimension,
        clusters,
        niter=rounds,
        seed=1234,
        spherical=True,
        max_points_per_centroid=count,
        min_points_per_centroid=1,
    )
    start, cpu = time.perf_counter(), time.process_time()
    kmeans.train(rows)
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"seconds a round: {took / rounds:.3f} (mean of {rounds}), of all cores {cpu / rounds:.3f}")
    similarity, _ = kmeans.index.search(rows, 1)
    print(f"mean cosine {similarity.mean():.5f}")


main()
