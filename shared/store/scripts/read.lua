--[[
  Reads a record, with the time and the deadline of its lease. Writes nothing.

  KEYS[1]  ticket:{digest}random   the record
  KEYS[2]  connections:{digest}    the open connections

  ARGV[1]  ticket id

  Returns
    {now, lease deadline or 0, field, value, ...}   times are Unix ms; no fields if no record is kept
]]
local subject = redis.call('HGET', KEYS[1], 'subject')
local deadline = subject and redis.call('ZSCORE', KEYS[2], member_of(ARGV[1], subject))
return { now_ms(), tonumber(deadline or 0), unpack(redis.call('HGETALL', KEYS[1])) }
