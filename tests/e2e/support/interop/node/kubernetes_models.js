// Reads [OBJECT, ...] of Kubernetes on stdin, and prints for each object the fault that its
// published schema finds, or "".
import fs from "node:fs";

async function fault(object) {
  const from = object.apiVersion.startsWith("monitoring.coreos.com/")
    ? "@kubernetes-models/prometheus-operator" : "kubernetes-models";
  const models = await import(`${from}/${object.apiVersion}`);
  try {
    new models[object.kind](object).validate();
    return "";
  } catch (error) {
    return error.message;
  }
}

const objects = JSON.parse(fs.readFileSync(0, "utf8"));
console.log(JSON.stringify(await Promise.all(objects.map(fault))));
