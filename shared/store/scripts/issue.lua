--[[
  Stores a fresh ticket.

  KEYS[1]  ticket:{digest}random   the record; must not exist
  KEYS[2]  pending:{digest}        the unspent tickets
  KEYS[3]  history:{digest}        the tickets that have ended

  ARGV[1]  ticket id
  ARGV[2]  subject
  ARGV[3]  time to live of the ticket, ms
  ARGV[4]  longest session, ms from now
  ARGV[5]  expiry of the caller's credentials, Unix ms, or '' if they do not expire
  ARGV[6]  the clock by which they expire, Unix ms, or '' for that of Redis
  ARGV[7]  most unspent tickets of one subject
  ARGV[8]  retention, ms
  ARGV[9]  most records that are kept of a subject's tickets that have ended
  ARGV[10] and on: other fields of the record and their values, in pairs

  Returns
    {'issued', issued_at, expires_at, session_expires_at, {member of the history, ...}}
                                                            all Unix ms; forget.lua has to be called with the
                                                            members, the oldest of those that are too many
    {'pending_limit', ms until the first of them expires}   too many are unspent; nothing is written
    {'id_taken'}                                            nothing is written
]]
-- A lowered limit takes effect step by step.
local FORGET_AT_ONCE = 64

local now = now_ms()

local most, retention, most_ended = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local unspent = members_of(KEYS[2], ARGV[2], most)
if #unspent >= most then
  return { 'pending_limit', tonumber(redis.call('ZSCORE', KEYS[2], unspent[1])) - now }
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 'id_taken' }
end

local session_expires_at = now + tonumber(ARGV[4])
local credentials_expire_at = ARGV[5] ~= '' and expiry_here(ARGV[5], ARGV[6])
if credentials_expire_at then
  session_expires_at = math.min(session_expires_at, credentials_expire_at)
end
-- A ticket is of no use after the credentials behind it have expired.
local expires_at = math.min(now + tonumber(ARGV[3]), session_expires_at)

-- The first write must be one that a full Redis refuses: it checks only the first write of a script.
redis.call('HSET', KEYS[1], 'state', 'issued', 'issued_at', now, 'expires_at', expires_at,
  'session_expires_at', session_expires_at, 'attempts', 0, 'subject', ARGV[2], unpack(ARGV, 10))
if credentials_expire_at then
  redis.call('HSET', KEYS[1], 'credentials_expire_at', credentials_expire_at)
end
redis.call('PEXPIREAT', KEYS[1], expires_at + retention)

-- What expired unspent has ended, and no other script was told.
local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'WITHSCORES')
for index = 1, #expired, 2 do
  redis.call('ZADD', KEYS[3], expired[index + 1] + retention, expired[index])
  keep_until(KEYS[3], expired[index + 1] + retention)
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], expires_at, member_of(ARGV[1], string.format('%.0f', now), ARGV[2]))
-- Longer than the tickets in it, so that those that expire are found above.
keep_until(KEYS[2], expires_at + retention)

redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
local ended = members_of(KEYS[3], ARGV[2], most_ended + 1)
local oldest = {}
for index = 1, math.min(#ended - most_ended, FORGET_AT_ONCE) do
  table.insert(oldest, ended[index])
end
return { 'issued', now, expires_at, session_expires_at, oldest }
