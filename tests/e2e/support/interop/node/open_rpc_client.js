// open_rpc_client.js TRANSPORT ADDRESS SOCKET FOLDER: see ../matrix.py.
import assert from "node:assert/strict";
import { Client, HTTPTransport, JSONRPCError, RequestManager } from "@open-rpc/client-js";
import * as given from "./checks.js";

const { large, text, numbers, unknown, codeAndMessage, failureOf } = given;
const client = new Client(new RequestManager([new HTTPTransport(`http://${given.address}`)]));
const ask = (method, params) => client.request({ method, params });

await given.run({
  call: async () => assert.deepEqual(await ask("hello"), ["hello", 5]),
  positional: async () => {
    assert.deepEqual(await ask("echo", [1, "two", null]), [1, "two", null]);
  },
  named: async () => {
    assert.deepEqual(await ask("echo", { one: 1, two: [true] }), { one: 1, two: [true] });
  },
  error: async () => {
    const failure = await failureOf(ask("unknown", [1]), JSONRPCError);
    assert.deepEqual(codeAndMessage(failure), unknown);
  },
  notification: async () => {
    await client.notify({ method: "hold", params: given.marked });
    assert.deepEqual(await ask("echo", ["after"]), ["after"]);
  },
  batch: async () => {
    client.startBatch();
    const slow = ask("burn", [20]);
    const fast = ask("echo", ["second"]);
    const failure = failureOf(ask("unknown", [1]), JSONRPCError);
    client.stopBatch();
    assert.deepEqual(await slow, { cpu_ms: 20 });
    assert.deepEqual(await fast, ["second"]);
    assert.deepEqual(codeAndMessage(await failure), unknown);
  },
  large: async () => assert.deepEqual(await ask("echo", [large]), [large]),
  text: async () => assert.deepEqual(await ask("echo", [text]), [text]),
  concurrent: async () => {
    const answers = await Promise.all(numbers.map((number) => ask("echo", [number])));
    assert.deepEqual(answers, numbers.map((number) => [number]));
  },
});
