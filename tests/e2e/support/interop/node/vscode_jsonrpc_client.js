// vscode_jsonrpc_client.js TRANSPORT ADDRESS SOCKET FOLDER: see ../matrix.py. The checks share a
// connection.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import * as rpc from "vscode-jsonrpc/node";
import * as given from "./checks.js";

async function connect(where) {
  const socket = net.connect(where);
  await once(socket, "connect");
  const reader = new rpc.SocketMessageReader(socket);
  const connection = rpc.createMessageConnection(reader, new rpc.SocketMessageWriter(socket));
  connection.onError(([error]) => console.error(error));
  connection.listen();
  return connection;
}

const { large, text, numbers, unknown, codeAndMessage, failureOf } = given;
const server = await connect({ host: given.host, port: given.port });

await given.run({
  call: async () => assert.deepEqual(await server.sendRequest("hello"), ["hello", 5]),
  positional: async () => {
    assert.deepEqual(await server.sendRequest("echo", 1, "two", null), [1, "two", null]);
  },
  named: async () => {
    const params = { one: 1, two: [true] };
    assert.deepEqual(await server.sendRequest("echo", params), params);
  },
  error: async () => {
    const failure = await failureOf(server.sendRequest("unknown", 1), rpc.ResponseError);
    assert.deepEqual(codeAndMessage(failure), unknown);
  },
  notification: async () => {
    await server.sendNotification("hold", given.marked);
    assert.deepEqual(await server.sendRequest("echo", "after"), ["after"]);
  },
  large: async () => assert.deepEqual(await server.sendRequest("echo", large), [large]),
  text: async () => assert.deepEqual(await server.sendRequest("echo", text), [text]),
  concurrent: async () => {
    const answers = numbers.map((number) => server.sendRequest("echo", number));
    assert.deepEqual(await Promise.all(answers), numbers.map((number) => [number]));
  },
  cancel: async () => {
    const source = new rpc.CancellationTokenSource();
    const answer = server.sendRequest("hold", given.held, source.token);
    assert.deepEqual(await server.sendRequest("echo", "meanwhile"), ["meanwhile"]);
    source.cancel();
    const failure = await failureOf(answer, rpc.ResponseError);
    assert.equal(failure.code, given.cancelled);
    assert.deepEqual(await server.sendRequest("echo", "after"), ["after"]);
  },
  unix: async () => {
    const local = await connect({ path: given.socketPath });
    assert.deepEqual(await local.sendRequest("hello"), ["hello", 5]);
  },
});
