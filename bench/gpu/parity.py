"""End to end through the C functions: the tiny synthetic checkpoint's texts against what the published model's code gave in float32.

    python3 parity.py LIBRARY DEVICE [FOLDER for the model's files]

The bars are those of the Java parity tests for bf16. Ends with an error when one is missed.
"""
import gzip, json, pathlib, sys, tempfile
import numpy as np
import embed4j, synthetic

REFERENCE = pathlib.Path(__file__).resolve().parents[2] / "java/parity/src/test/resources/io/embed4j/parity/text.json.gz"


def cosine(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def main(library, device, folder):
    synthetic.write(folder, "tiny")
    model = embed4j.Model(library, folder, device)
    print(model.device)
    assert device == "cpu" or model.device.startswith("cuda:"), model.device
    cases = json.load(gzip.open(REFERENCE))
    dense, rows = [], []
    for first in range(0, len(cases), 8):  # batches of mixed tasks and lengths
        part = cases[first:first + 8]
        pooled, multi = model.batch([c["ids"] for c in part], [embed4j.TASKS.index(c["task"]) for c in part], multi=True)()
        pooled = np.frombuffer(pooled, np.float32).reshape(len(part), -1)
        multi = np.frombuffer(multi, np.float32).reshape(-1, model.info.multi_vector_dim)
        at = 0
        for i, c in enumerate(part):
            n = len(c["ids"])
            dense.append(cosine(pooled[i], c["dense"]))
            own = multi[at:at + n]
            rows += [cosine(own[0], c["multi"]["first"]), cosine(own[n // 2], c["multi"]["middle"]), cosine(own[-1], c["multi"]["last"]),
                     cosine(own.mean(0), c["multi"]["mean"])]
            at += n
    # Of many batches the same text gives the same vector as alone, within rounding.
    alone, _ = model.batch([cases[0]["ids"]], [embed4j.TASKS.index(cases[0]["task"])])()
    again = cosine(np.frombuffer(alone, np.float32), cases[0]["dense"])
    model.close()
    print(f"{len(cases)} texts: dense cosine worst {min(dense):.6f} mean {np.mean(dense):.6f}; multi-vector rows worst {min(rows):.6f} "
          f"mean {np.mean(rows):.6f}; alone {again:.6f}")
    if not (min(dense) >= 0.9999 and min(rows) >= 0.997 and np.mean(rows) >= 0.9998 and again >= 0.9999):
        sys.exit("parity: a bar was missed (dense 0.9999, rows worst 0.997, mean 0.9998)")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else scratch)
