--[[
  ../scripts.ts puts this in front of every script, after three tables:
    STATUS   outcome -> HTTP status, from the table of refusals
    CLOSING  reason -> WebSocket close code, from the table of close codes
    LISTED   the fields of a record that a list needs
]]

-- The time of Redis in Unix ms, the same throughout a script. No other machine's clock matters.
local started_at
local function now_ms()
  if not started_at then
    local time = redis.call('TIME')
    started_at = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return started_at
end

-- A full Redis refuses only the first write of a script, and never an HDEL. So after this write, which
-- changes nothing, all others succeed. Scripts that end or keep what exists begin with it; issue and note,
-- which store something new, do not.
local function write_even_when_full(key)
  redis.call('HDEL', key, '')
end

-- Writes one attempt on a ticket's record. An empty origin or address leaves no field.
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

-- Lets a key live until a moment (Unix ms), unless it lives longer already.
local function keep_until(key, moment)
  local left = redis.call('PTTL', key)
  local now = now_ms()
  if left < 0 or now + left < moment then
    redis.call('PEXPIREAT', key, moment)
  end
end

-- Two subjects may have the same digest, and then share the keys of their sets. So a member names its subject.
-- It has the moment of issue too (Unix ms), so that a list can be put in order without all its records.
local function member_of(id, issued_at, subject)
  return id .. ':' .. issued_at .. ':' .. subject
end

-- The members of one subject whose moment has not passed, in the order of their moments. None if all subjects of
-- the digest together have fewer than `least`, so that a set is read only at a limit.
local function members_of(key, subject, least)
  local from = '(' .. string.format('%.0f', now_ms())
  local members = {}
  if redis.call('ZCOUNT', key, from, '+inf') < least then return members end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, from, '+inf')) do
    if string.match(member, '^[^:]+:%d+:(.*)$') == subject then table.insert(members, member) end
  end
  return members
end

-- The ticket id in a member of a set.
local function id_of(member)
  return string.match(member, '^[^:]+')
end

-- When credentials expire, by the clock of Redis. `as_of` is the clock of the service that checked them, or ''. If the
-- two clocks are more than a second apart, the credentials have as long to live here as they have there.
local function expiry_here(moment, as_of)
  local skew = as_of == '' and 0 or now_ms() - tonumber(as_of)
  if math.abs(skew) <= 1000 then skew = 0 end
  return tonumber(moment) + skew
end

-- Puts a ticket that has ended into the history. Its record is kept until a moment (Unix ms), or until its subject
-- has too many that have ended.
local function end_ticket(ticket, history, member, moment)
  redis.call('PEXPIREAT', ticket, moment)
  redis.call('ZADD', history, moment, member)
  keep_until(history, moment)
end

-- A ticket that never opened and never will needs none of what it would have bought.
local function drop_bindings(ticket)
  redis.call('HDEL', ticket, 'path', 'claims', 'client_claims')
end

-- The attempt that spent a ticket and its outcome, from the field `attempt` of the record.
local function split_attempt(attempt)
  if not attempt then return nil, nil end
  return string.match(attempt, '^([^:]+):(.+)$')
end
