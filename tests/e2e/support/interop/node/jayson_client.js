// jayson_client.js TRANSPORT ADDRESS SOCKET FOLDER: see ../matrix.py. TRANSPORT: tcp or http.
// jayson opens a connection for each call.
import assert from "node:assert/strict";
import jayson from "jayson/promise/index.js";
import * as given from "./checks.js";

const { host, port, large, text, numbers, unknown, codeAndMessage } = given;
const make = jayson.Client[given.transport];
const client = make({ host, port });
const result = async (method, params, of = client) => (await of.request(method, params)).result;

await given.run({
  call: async () => assert.deepEqual(await result("hello", []), ["hello", 5]),
  positional: async () => {
    assert.deepEqual(await result("echo", [1, "two", null]), [1, "two", null]);
  },
  named: async () => {
    assert.deepEqual(await result("echo", { one: 1, two: [true] }), { one: 1, two: [true] });
  },
  error: async () => {
    const { error } = await client.request("unknown", [1]);
    assert.deepEqual(codeAndMessage(error), unknown);
  },
  notification: async () => {
    assert.equal(await client.request("hold", given.marked, null), undefined);
    assert.deepEqual(await result("echo", ["after"]), ["after"]);
  },
  batch: async () => {
    const requests = [
      client.request("burn", [20], undefined, false),
      client.request("echo", ["second"], undefined, false),
      client.request("echo", ["unanswered"], null, false),
      client.request("unknown", [], undefined, false),
    ];
    const answers = await client.request(requests);
    const answer = (index) => answers.find(({ id }) => id === requests[index].id);
    assert.equal(answers.length, 3);
    assert.deepEqual(answer(0).result, { cpu_ms: 20 });
    assert.deepEqual(answer(1).result, ["second"]);
    assert.deepEqual(codeAndMessage(answer(3).error), unknown);
  },
  large: async () => assert.deepEqual(await result("echo", [large]), [large]),
  text: async () => assert.deepEqual(await result("echo", [text]), [text]),
  concurrent: async () => {
    const answers = await Promise.all(numbers.map((number) => result("echo", [number])));
    assert.deepEqual(answers, numbers.map((number) => [number]));
  },
  unix: async () => {
    const where = given.transport === "tcp" ? "path" : "socketPath";
    const local = make({ [where]: given.socketPath });
    assert.deepEqual(await result("hello", [], local), ["hello", 5]);
  },
});
