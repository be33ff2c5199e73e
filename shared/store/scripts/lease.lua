--[[
  Renews the lease of an open connection, and tells its gateway whether it has to close.

  KEYS[1]  ticket:{digest}random   the record
  KEYS[2]  connections:{digest}    the open connections
  KEYS[3]  pending:{digest}        the unspent tickets
  KEYS[4]  history:{digest}        the tickets that have ended

  ARGV[1]  ticket id
  ARGV[2]  attempt id
  ARGV[3]  gateway id
  ARGV[4]  subject
  ARGV[5]  opened_at, Unix ms
  ARGV[6]  session_expires_at as the gateway knows it, Unix ms
  ARGV[7]  lease, ms
  ARGV[8]  retention, ms

  Returns
    {'held', session_expires_at}   Unix ms
    {'restored'}                   the record was lost or is 'issued' again (Redis restarted or failed over);
                                   it was written again, so that the ticket stays spent
    {'ended', reason}              'revoked' or 'replaced': the connection has to close; nothing is written
]]
local stored = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'session_expires_at', 'close_reason', 'issued_at')
local state, session_expires_at, close_reason = stored[1], stored[3], stored[4]
local attempt = split_attempt(stored[2])
local now, lease, retention = now_ms(), tonumber(ARGV[7]), tonumber(ARGV[8])
local member = member_of(ARGV[1], stored[5] or ARGV[5], ARGV[4])

write_even_when_full(KEYS[1])

local function hold()
  redis.call('ZADD', KEYS[2], now + lease, member)
  keep_until(KEYS[2], now + lease)
  keep_until(KEYS[1], now + lease + retention)
end

if not state or state == 'issued' then
  redis.call('HSET', KEYS[1], 'state', 'open', 'attempt', ARGV[2] .. ':admitted', 'subject', ARGV[4],
    'gateway', ARGV[3], 'opened_at', ARGV[5], 'session_expires_at', ARGV[6])
  for _, field in ipairs({ 'issued_at', 'expires_at' }) do
    redis.call('HSETNX', KEYS[1], field, ARGV[5])
  end
  redis.call('HSETNX', KEYS[1], 'attempts', 1)
  redis.call('ZREM', KEYS[3], member)
  redis.call('ZREM', KEYS[4], member)
  hold()
  return { 'restored' }
end
-- The record of a ticket that was revoked unspent has no attempt.
if attempt and attempt ~= ARGV[2] then return { 'ended', 'replaced' } end
if state ~= 'open' then return { 'ended', close_reason == 'replaced' and 'replaced' or 'revoked' } end

hold()
return { 'held', tonumber(session_expires_at) }
