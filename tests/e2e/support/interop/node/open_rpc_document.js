// open_rpc_document.js ADDRESS FAKED...: asks the server at ADDRESS for its OpenRPC document and
// has OpenRPC's own tools check it: is it valid, and do the methods do what it says? The tools call
// each method with its examples, and the methods FAKED also with params made up from their schemas.
// Prints {"fault", "calls": [{"method", "kind", "failure"}]}, with null for no fault or failure.
import coverage from "@open-rpc/test-coverage";
import examplesRule from "@open-rpc/test-coverage/build/rules/examples-rule.js";
import fakerRule from "@open-rpc/test-coverage/build/rules/json-schema-faker-rule.js";
import { parseOpenRPCDocument, validateOpenRPCDocument } from "@open-rpc/schema-utils-js";

const [address, ...faked] = process.argv.slice(2);
const url = `http://${address}/`;

async function ask(method) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method });
  const headers = { "Content-Type": "application/json" };
  const answer = await (await fetch(url, { method: "POST", headers, body })).json();
  return answer.result;
}

const quiet = { onBegin() {}, onTestBegin() {}, onTestEnd() {}, onEnd() {} };

async function cover(openrpcDocument, kind, Rule, only) {
  const calls = await coverage.default({
    openrpcDocument, transport: "http", reporters: [quiet], rules: [new Rule.default()], only, skip: [],
  });
  // An error is a failure, too: a schema that demands nothing would accept a missing result.
  return calls.map(({ methodName, valid, reason, error, requestError }) => ({
    method: methodName,
    kind,
    failure: reason ?? error ?? requestError?.message ?? (valid ? null : "not valid"),
  }));
}

const document = await ask("rpc.discover");
const valid = validateOpenRPCDocument(document);
const resolved = await parseOpenRPCDocument(document);
const calls = await cover(resolved, "example", examplesRule, []);
const bare = structuredClone(resolved);
for (const method of bare.methods) delete method.examples;
calls.push(...(await cover(bare, "faked", fakerRule, faked)));
console.log(JSON.stringify({ fault: valid === true ? null : String(valid), calls }));
