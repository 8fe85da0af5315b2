-- wrk.lua FOLDER: sends the requests listed in `often` in turn, over connections kept open. Each
-- answer is compared with the expected one for its id. The requests `seldom` are sent once. See wrk.sh.
local text = '["Grüße, 世界, 😀 \\u2028 \\"\\\\\\n\\u0001"]'
local large = '["' .. string.rep("0123456789abcdef", 65536) .. '"]'
local often = { "call", "positional", "named", "error", "batch", "text" }
local seldom = { [100] = "large", [200] = "notification" }
local asked, requests, wanted = 0, {}, {}

-- Counts and faults, by check. They are globals, since done() reads them through thread:get().
right, wrong = {}, {}

local function message(id, method, params)
  return string.format('{"jsonrpc":"2.0","id":"%s","method":"%s","params":%s}', id, method, params)
end

local function result(id, value)
  return string.format('{"jsonrpc":"2.0","id":"%s","result":%s}', id, value)
end

local function echo(id, params)
  requests[id], wanted[id] = message(id, "echo", params), result(id, params)
end

function init(arguments)
  requests.call, wanted.call = message("call", "hello", "null"), result("call", '["hello", 5]')
  echo("positional", '[1,"two",null]')
  echo("named", '{"one":1,"two":[true]}')
  echo("text", text)
  echo("large", large)
  requests.error = message("error", "unknown", "[]")
  wanted.error = '{"jsonrpc":"2.0","id":"error","error":{"code":-32601,'
      .. '"message":"there is no method unknown","data":'
      .. '{"reason":"method_not_found","retryable":false,"executed":false}}}'
  requests.batch = "[" .. message("batch", "burn", "[1]") .. "," .. message(2, "echo", "[2]") .. "]"
  wanted.batch = "[" .. result("batch", '{"cpu_ms":1}') .. "," .. result(2, "[2]") .. "]"
  requests.notification = '{"jsonrpc":"2.0","method":"hold","params":{"gate":"'
      .. arguments[1] .. '/open"}}'
  wanted.notification = ""
  for id, body in pairs(requests) do
    requests[id] = wrk.format("POST", "/", { ["Content-Type"] = "application/json" }, body)
  end
end

function request()
  asked = asked + 1
  return requests[seldom[asked] or often[asked % #often + 1]]
end

function response(status, headers, body)
  local id = body == "" and "notification" or body:match('"id":"(%a+)"') or "call"
  if status == 200 and body == wanted[id] then
    right[id] = (right[id] or 0) + 1
  else
    wrong[id] = status .. " " .. body:sub(1, 200)
  end
end

local used

function setup(thread)
  used = thread
end

function done(summary)
  local right, wrong = used:get("right"), used:get("wrong")
  for _, id in ipairs({ "large", "notification", unpack(often) }) do
    print(id .. (wrong[id] and " failed: " .. wrong[id] or right[id] and " ok" or " failed: no answer"))
  end
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  print("concurrent " .. (failed == 0 and "ok" or "failed: " .. failed .. " connections or requests"))
end
