-- Sends prepared requests repeatedly, and reports in one line of JSON.
-- Environment: REQUESTS, a file with a delivery in each line (id, timestamp, signature and body,
-- separated by tabs); PAUSE_MS, the mean pause of a connection before its next request.
local requests = {}
local turn = 0
local pause = tonumber(os.getenv("PAUSE_MS") or "0")

function init(_)
  for line in io.lines(os.getenv("REQUESTS")) do
    local id, timestamp, signature, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    requests[#requests + 1] = wrk.format("POST", "/", {
      ["content-type"] = "application/json",
      ["webhook-id"] = id,
      ["webhook-timestamp"] = timestamp,
      ["webhook-signature"] = signature,
    }, body)
  end
end

if pause > 0 then
  -- Uniform around the mean, so that the connections do not synchronise.
  function delay()
    return math.floor(2 * pause * math.random() + 0.5)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50":%.1f,"p99":%.1f,"max":%.1f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
