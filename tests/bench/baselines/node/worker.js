// The CPU work of node_piscina. A job {params, body, deadline} becomes {result}, as JSON, or
// {error: {code, message}}.
import { WASI } from "node:wasi";

const CPU_MS_MAX = 600_000;
const CLOCK_THREAD_CPU_TIME = 3;

// Node has no clock of a thread's CPU time but WASI's, which writes into the memory of a module.
// MODULE is the binary of (module (memory (export "memory") 1)).
const MODULE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 1,
                             7, 10, 1, 6, 109, 101, 109, 111, 114, 121, 2, 0);
const wasi = new WASI({ version: "preview1" });
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MODULE));
wasi.initialize({ exports });
const words = new Uint32Array(exports.memory.buffer);

// Returns no BigInt: other threads would spend as much CPU time again on collecting the garbage.
function threadCpuNs() {
  if (wasi.wasiImport.clock_time_get(CLOCK_THREAD_CPU_TIME, 0n, 0) !== 0) throw new Error("clock");
  return words[0] + words[1] * 2 ** 32;
}

const sink = new Int32Array(1);

// Works for some tens of microseconds between two readings of the clock: a reading allocates.
function useCpu(ms) {
  const end = threadCpuNs() + ms * 1e6;
  while (threadCpuNs() < end) {
    for (let i = 0; i < 20_000; ++i) sink[0] = Math.imul(sink[0], 1664525) + 1013904223;
  }
}

function run(job, compute) {
  if (Date.now() > job.deadline) return { error: { code: -32012, message: "not done in time" } };
  return compute(job.params);
}

export const echo = (job) => run(job, (params) => ({ result: JSON.stringify(params ?? null) }));

export const burn = (job) => run(job, (params) => {
  const cpuMs = params?.cpu_ms;
  if (typeof cpuMs !== "number" || !(cpuMs >= 0 && cpuMs <= CPU_MS_MAX)) {
    const message = `cpu_ms: expected a number from 0 to ${CPU_MS_MAX}`;
    return { error: { code: -32602, message } };
  }
  useCpu(cpuMs);
  return { result: JSON.stringify({ cpu_ms: cpuMs }) };
});
