--[[
  Reads a record, with the time and the deadline of its lease. Writes nothing.

  KEYS[1]  ticket:{digest}random   the record
  KEYS[2]  connections:{digest}    the open connections

  ARGV[1]  ticket id

  Returns
    {now, lease deadline or 0, field, value, ...}   times are Unix ms; no fields if no record is kept
]]
local stored = redis.call('HMGET', KEYS[1], 'subject', 'issued_at')
local deadline = stored[1] and redis.call('ZSCORE', KEYS[2], member_of(ARGV[1], stored[2], stored[1]))
return { now_ms(), tonumber(deadline or 0), unpack(redis.call('HGETALL', KEYS[1])) }
