// llama.cpp through node-llama-cpp, as a process that bench/run asks.
//   node node-llama-cpp.mjs FOLDER_WITH_NODE_MODULES GGUF THREADS
// A line of token ids, separated by commas, is answered with {"seconds", "vector"}.
import path from "node:path";
import readline from "node:readline";
import {pathToFileURL} from "node:url";

const [folder, modelPath, threads] = process.argv.slice(2);
const library = pathToFileURL(path.resolve(folder, "node_modules/node-llama-cpp/dist/index.js"));
const {getLlama, LlamaLogLevel} = await import(library.href);

const answer = (json) => console.log(JSON.stringify(json));
const llama = await getLlama({gpu: false, build: "never", maxThreads: Number(threads), logLevel: LlamaLogLevel.error});
const model = await llama.loadModel({modelPath});
answer({ready: true, system: llama.systemInfo});

let context = null;
let size = 0;
for await (const line of readline.createInterface({input: process.stdin})) {
  try {
    const ids = line.split(",").map(Number);
    // Room for what the library adds, and one batch, as its embeddings need; then a short text that is not timed.
    if (ids.length + 8 > size) {
      await context?.dispose();
      size = ids.length + 8;
      context = await model.createEmbeddingContext({contextSize: size, batchSize: size, threads: Number(threads)});
      await context.getEmbeddingFor(ids.slice(0, 16));
    }
    const begin = performance.now();
    const {vector} = await context.getEmbeddingFor(ids);
    const seconds = (performance.now() - begin) / 1e3;
    answer({seconds, tokens: context.calculateInputLength(ids), vector});
  } catch (e) {
    answer({error: String(e)});
  }
}
await llama.dispose();
