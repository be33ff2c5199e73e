--[[
  Moves the moment at which an open connection's session ends.

  KEYS[1]  ticket:{digest}random   the record

  ARGV[1]  whose ticket it must be
  ARGV[2]  longest session, ms from now
  ARGV[3]  expiry of the caller's credentials, Unix ms, or '' if they do not expire

  Returns
    {'renewed', session_expires_at, gateway}   session_expires_at in Unix ms
    {'not_open'}                               nothing is written
    {'unknown'}                                no such ticket, or another subject's; nothing is written
]]
local stored = redis.call('HMGET', KEYS[1], 'subject', 'state', 'gateway')
if not stored[1] or stored[1] ~= ARGV[1] then return { 'unknown' } end
if stored[2] ~= 'open' then return { 'not_open' } end

write_even_when_full(KEYS[1])
local session_expires_at = now_ms() + tonumber(ARGV[2])
if ARGV[3] ~= '' then
  session_expires_at = math.min(session_expires_at, tonumber(ARGV[3]))
end
redis.call('HSET', KEYS[1], 'session_expires_at', session_expires_at)
return { 'renewed', session_expires_at, stored[3] }
