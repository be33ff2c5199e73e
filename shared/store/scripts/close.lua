--[[
  Ends the connection that one attempt opened.

  KEYS[1]  ticket:{digest}random   the record
  KEYS[2]  connections:{digest}    the open connections
  KEYS[3]  history:{digest}        the tickets that have ended

  ARGV[1]  ticket id
  ARGV[2]  attempt id
  ARGV[3]  close code, or '' if a proxy holds the connection from now on
  ARGV[4]  close reason, or ''
  ARGV[5]  retention, ms

  Returns
    {'closed'}           the subject's slot is freed; a revoked connection keeps its state and its reason, and one
                         that a proxy holds is 'handed_over'
    {'already_closed'}   nothing is written
    {'not_held'}         this attempt did not open it, or no record is kept; nothing is written
]]
local stored = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'closed_at', 'expires_at', 'subject', 'issued_at')
local state, closed_at, expires_at = stored[1], stored[3], tonumber(stored[4])
local attempt, outcome = split_attempt(stored[2])

if attempt ~= ARGV[2] or outcome ~= 'admitted' then return { 'not_held' } end
if closed_at or state == 'handed_over' then return { 'already_closed' } end

write_even_when_full(KEYS[1])
local member = member_of(ARGV[1], stored[6], stored[5])
local now = now_ms()
redis.call('ZREM', KEYS[2], member)
if state == 'open' and ARGV[3] == '' then
  redis.call('HSET', KEYS[1], 'state', 'handed_over')
else
  redis.call('HSET', KEYS[1], 'closed_at', now)
  if state == 'open' then
    redis.call('HSET', KEYS[1], 'state', 'closed', 'close_code', ARGV[3])
    if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'close_reason', ARGV[4]) end
  end
end
-- Until the ticket would have expired, replays can still be noted.
end_ticket(KEYS[1], KEYS[3], member, math.max(now, expires_at or 0) + tonumber(ARGV[5]))
return { 'closed' }
