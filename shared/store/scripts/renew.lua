--[[
  Moves the moment at which an open connection's session ends.

  KEYS[1]  ticket:{digest}random   the record

  ARGV[1]  whose ticket it must be
  ARGV[2]  longest session, ms from now
  ARGV[3]  expiry of the caller's credentials, Unix ms, or '' if they do not expire
  ARGV[4]  the clock by which they expire, Unix ms, or '' for that of Redis
  ARGV[5]  longest connection with all its renewals, ms from its opening, 0 for no limit
  ARGV[6]  '1' if the caller is a back end with a key: the credentials that the subject itself presented last
           still bound the session

  Returns
    {'renewed', session_expires_at, gateway}   session_expires_at in Unix ms
    {'not_open'}                               nothing is written
    {'unknown'}                                no such ticket, or another subject's; nothing is written
]]
local stored = redis.call('HMGET', KEYS[1], 'subject', 'state', 'gateway', 'opened_at', 'credentials_expire_at')
if not stored[1] or stored[1] ~= ARGV[1] then return { 'unknown' } end
if stored[2] ~= 'open' then return { 'not_open' } end

write_even_when_full(KEYS[1])
local session_expires_at = now_ms() + tonumber(ARGV[2])
if ARGV[5] ~= '0' then
  session_expires_at = math.min(session_expires_at, tonumber(stored[4]) + tonumber(ARGV[5]))
end
local credentials_expire_at = stored[5] and tonumber(stored[5])
if ARGV[6] ~= '1' then
  credentials_expire_at = ARGV[3] ~= '' and expiry_here(ARGV[3], ARGV[4])
  if credentials_expire_at then
    redis.call('HSET', KEYS[1], 'credentials_expire_at', credentials_expire_at)
  else
    redis.call('HDEL', KEYS[1], 'credentials_expire_at')
  end
end
if credentials_expire_at then
  session_expires_at = math.min(session_expires_at, credentials_expire_at)
end
redis.call('HSET', KEYS[1], 'session_expires_at', session_expires_at)
return { 'renewed', session_expires_at, stored[3] }
