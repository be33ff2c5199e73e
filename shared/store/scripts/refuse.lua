--[[
  Takes an admission back: the connection was refused after consume and before it opened.

  KEYS[1]  ticket:{digest}random   the record
  KEYS[2]  connections:{digest}    the open connections

  ARGV[1]  ticket id
  ARGV[2]  attempt id
  ARGV[3]  outcome: the code of the refusal
  ARGV[4]  HTTP status of the answer
  ARGV[5]  retention, ms

  Returns
    {'refused'}    the ticket stays spent, its state is 'refused', the subject's slot is freed; a ticket that
                   was revoked meanwhile stays 'revoked'
    {'not_held'}   this attempt did not open it, it has ended, or no record is kept; nothing is written
]]
local stored = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'closed_at', 'expires_at', 'subject')
local state, closed_at, expires_at = stored[1], stored[3], tonumber(stored[4])
local attempt, outcome = split_attempt(stored[2])

if attempt ~= ARGV[2] or outcome ~= 'admitted' or closed_at then return { 'not_held' } end

write_even_when_full(KEYS[1])
redis.call('ZREM', KEYS[2], member_of(ARGV[1], stored[5]))
if state == 'open' then redis.call('HSET', KEYS[1], 'state', 'refused') end
redis.call('HSET', KEYS[1], 'attempt', attempt .. ':' .. ARGV[3], 'last_attempt_outcome', ARGV[3],
  'last_attempt_status', ARGV[4])
redis.call('HDEL', KEYS[1], 'opened_at')
-- Until the ticket would have expired, replays can still be noted.
redis.call('PEXPIREAT', KEYS[1], math.max(now_ms(), expires_at or 0) + tonumber(ARGV[5]))
return { 'refused' }
