"""Writes the Parquet files beside this script: as other programs write them, with dictionaries and compressed."""
import datetime
import pyarrow as pa
import pyarrow.parquet as pq

table = pa.table({
    "id": pa.array([7, None, 9], pa.int64()),
    "text": ["a", "\u00fc \U0001f600", None],
    "image": pa.array([None, None, b"no picture"], pa.binary()),
    "day": [datetime.date(2026, 1, 2), None, datetime.date(1969, 12, 31)],
    "flag": [True, None, False],
    "score": [0.5, None, -1.25],
    "kind": pa.array(["x", "x", None]).dictionary_encode(),
})
pq.write_table(table, "snappy.parquet", compression="snappy", row_group_size=2)
pq.write_table(table, "zstd.parquet", compression="zstd", data_page_version="2.0")
pq.write_table(pa.table({"text": ["a"], "tags": [["b"]]}), "nested.parquet", compression="gzip")
rows = 600  # three groups of a dozen small pages a column, each with its checksum
groups = pa.table({"id": pa.array(range(rows), pa.int64()), "text": [f"row {i + 1} of {rows}" for i in range(rows)]})
pq.write_table(groups, "groups.parquet", compression="snappy", row_group_size=200, data_page_size=300, write_batch_size=20,
               use_dictionary=False, write_page_checksum=True, write_statistics=False)
