--[[
  Put in front of every script by ../scripts.ts, together with
    STATUS   outcome -> HTTP status, made from the table of refusals
    CLOSING  reason -> WebSocket close code, made from the table of close codes
]]

-- Redis's own time in Unix ms, the same throughout a script: no other machine's clock matters.
local started_at
local function now_ms()
  if not started_at then
    local time = redis.call('TIME')
    started_at = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return started_at
end

-- Redis refuses a script at its first write when it is full, and lets all others through after one that
-- is never refused, as this one is, which changes nothing. It stands where a full Redis has to let go of
-- what it holds: a ticket is spent, a connection is kept, closed or ended. Issuing and noting do without.
local function write_even_when_full(key)
  redis.call('HDEL', key, '')
end

-- Writes one presentation of a ticket on its record; an empty origin or address leaves no field.
local function note_attempt(ticket, now, outcome, gateway, origin, address)
  redis.call('HSET', ticket, 'last_attempt_at', now, 'last_attempt_outcome', outcome,
    'last_attempt_status', STATUS[outcome], 'last_attempt_gateway', gateway)
  redis.call('HINCRBY', ticket, 'attempts', 1)
  for field, value in pairs({ last_attempt_origin = origin, last_attempt_address = address }) do
    if value == '' then
      redis.call('HDEL', ticket, field)
    else
      redis.call('HSET', ticket, field, value)
    end
  end
end

-- Lets a key live until a moment (Unix ms), never for a shorter time than it would anyway.
local function keep_until(key, moment)
  local left = redis.call('PTTL', key)
  local now = now_ms()
  if left < 0 or now + left < moment then
    redis.call('PEXPIREAT', key, moment)
  end
end

-- The attempt that decided a ticket and the outcome it got, from the record's field `attempt`.
local function split_attempt(attempt)
  if not attempt then return nil, nil end
  return string.match(attempt, '^([^:]+):(.+)$')
end
