// balanced_load.mjs: what balanced_load.py does, through balanced_client.mjs.

import { BalancedClient } from "../../../docs/examples/balanced_client.mjs";

const [callers, calls, method, ...addresses] = process.argv.slice(2);
const client = new BalancedClient(addresses);
let last = 0, isOver = false;
process.on("SIGTERM", () => { isOver = true; });
process.on("SIGHUP", () => client.close());

async function run() {
  while (!isOver && (calls === "0" || last < Number(calls))) {
    const number = ++last;
    const outcome = await client.call(method, { number }).then(
      (result) => ({ result }), (error) => ({ error: error.message, data: error.data ?? null }));
    process.stdout.write(`${JSON.stringify({ number, ...outcome })}\n`);
  }
}

await Promise.all(Array.from({ length: Number(callers) }, run));
client.close(); // or Node.js would wait for the connections
