--[[
  Takes an admission back: the connection was refused after consume and before it opened.

  KEYS[1]  ticket:{digest}random   the record
  KEYS[2]  connections:{digest}    the open connections
  KEYS[3]  history:{digest}        the tickets that have ended

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
local stored = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'closed_at', 'expires_at', 'subject', 'issued_at')
local state, closed_at, expires_at = stored[1], stored[3], tonumber(stored[4])
local attempt, outcome = split_attempt(stored[2])

if attempt ~= ARGV[2] or outcome ~= 'admitted' then return { 'not_held' } end
if closed_at or state == 'handed_over' then return { 'not_held' } end

write_even_when_full(KEYS[1])
local member = member_of(ARGV[1], stored[6], stored[5])
redis.call('ZREM', KEYS[2], member)
if state == 'open' then redis.call('HSET', KEYS[1], 'state', 'refused') end
redis.call('HSET', KEYS[1], 'attempt', attempt .. ':' .. ARGV[3], 'last_attempt_outcome', ARGV[3],
  'last_attempt_status', ARGV[4])
redis.call('HDEL', KEYS[1], 'opened_at')
drop_bindings(KEYS[1])
-- Until the ticket would have expired, replays can still be noted.
end_ticket(KEYS[1], KEYS[3], member, math.max(now_ms(), expires_at or 0) + tonumber(ARGV[5]))
return { 'refused' }
