// Reads {"schema": SCHEMA, "documents": {NAME: DOCUMENT}} on stdin, and prints {NAME: whether the
// schema accepts it} on stdout. An invalid schema ends the program with an error.
import fs from "node:fs";
import Ajv from "ajv";

const { schema, documents } = JSON.parse(fs.readFileSync(0, "utf8"));
const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, logger: console });
const validate = ajv.compile(schema);
const accepted = Object.entries(documents).map(([name, one]) => [name, validate(one)]);
console.log(JSON.stringify(Object.fromEntries(accepted)));
