// Numbers as people read them. Pure.

export function duration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return "–";
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}

export function bytes(count) {
  let value = count;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (Math.abs(value) < 1024)
      return `${value < 10 && unit !== "B" ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

export function percent(share) {
  const value = share * 100;
  if (value > 0 && value < 1) return `${value.toFixed(1)} %`;
  return `${Math.round(value)} %`;
}

export function rate(perSecond) {
  if (perSecond === 0) return "0";
  return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

// The names of rpc/errors.h.
const CODES = {
  "-32700": "parse error",
  "-32600": "invalid request",
  "-32601": "unknown method",
  "-32602": "invalid params",
  "-32603": "internal error",
  "-32000": "handler failed",
  "-32001": "unauthorized",
  "-32007": "request too large",
  "-32008": "response too large",
  "-32009": "overloaded",
  "-32010": "batch too large",
  "-32012": "deadline exceeded",
  "-32013": "shutting down",
  "-32014": "worker died",
  "-32015": "upstream failed",
  "-32800": "cancelled",
};

// "-32012 deadline exceeded (too_late)"
export function errorText(code, reason) {
  const name = CODES[code] ?? "error of the handler";
  return `${code} ${name}${reason ? ` (${reason})` : ""}`;
}

// The text for a method's name, which is empty if the request names no method of the server.
export function methodText(name) {
  return name === "" ? "(no such method)" : name;
}
