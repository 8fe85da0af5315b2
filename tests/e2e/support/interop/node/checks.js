// Shared by the programs in JavaScript: the values that they send, and the runner of the checks.
import assert from "node:assert/strict";

export const [transport, address, socketPath, folder] = process.argv.slice(2);
export const colon = address.lastIndexOf(":");
export const host = address.slice(0, colon);
export const port = Number(address.slice(colon + 1));

export const text = 'Grüße, 世界, 😀, \u2028 "\\\n\x01';
export const large = "0123456789abcdef".repeat(1 << 16); // 1 MiB
export const unknown = { code: -32601, message: "there is no method unknown" };
export const cancelled = -32800;
export const numbers = Array.from({ length: 100 }, (_, number) => number);

// Params for `hold`, which notes that it was called. With `marked` it returns at once, with `held`
// not before the test is over.
export const marked = { gate: `${folder}/open` };
export const held = { gate: `${folder}/closed` };

// The failure of a call that must fail with an error of this class.
export async function failureOf(answer, Class) {
  const failure = await answer.then(
    (result) => assert.fail(`expected a failure, found ${JSON.stringify(result)}`),
    (failure) => failure,
  );
  assert.ok(failure instanceof Class, `expected a ${Class.name}, found ${failure}`);
  return failure;
}

export const codeAndMessage = ({ code, message }) => ({ code, message });

// Runs the checks one after the other, prints the result of each, and ends the process.
export async function run(checks) {
  for (const [name, check] of Object.entries(checks)) {
    const found = await check().then(
      () => "ok",
      (failure) => `failed: ${String(failure).replaceAll("\n", " ").slice(0, 500)}`,
    );
    await new Promise((written) => process.stdout.write(`${name} ${found}\n`, written));
  }
  process.exit();
}
