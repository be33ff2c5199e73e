--[[
  Revokes an unspent ticket, or marks its open connection for closing.

  KEYS[1]  ticket:{digest}random   the record
  KEYS[2]  pending:{digest}        the unspent tickets
  KEYS[3]  history:{digest}        the tickets that have ended

  ARGV[1]  ticket id
  ARGV[2]  whose ticket it must be, or '' for anybody's
  ARGV[3]  retention, ms

  Returns
    {'revoked'}            it was unspent
    {'closing', gateway}   it is open, and this gateway has to close it
    {'ended'}              it had ended before; nothing is written
    {'unknown'}            no such ticket, or another subject's; nothing is written
]]
local stored = redis.call('HMGET', KEYS[1], 'subject', 'state', 'gateway', 'opened_at', 'closed_at', 'expires_at', 'issued_at')
local subject, state, gateway, opened_at, closed_at = stored[1], stored[2], stored[3], stored[4], stored[5]
local expires_at = tonumber(stored[6])

if not subject or (ARGV[2] ~= '' and subject ~= ARGV[2]) then return { 'unknown' } end

write_even_when_full(KEYS[1])
local now = now_ms()
if state == 'issued' and now < expires_at then
  redis.call('HSET', KEYS[1], 'state', 'revoked')
  drop_bindings(KEYS[1])
  local member = member_of(ARGV[1], stored[7], subject)
  redis.call('ZREM', KEYS[2], member)
  end_ticket(KEYS[1], KEYS[3], member, expires_at + tonumber(ARGV[3]))
  return { 'revoked' }
end
if state == 'open' then
  redis.call('HSET', KEYS[1], 'state', 'revoked', 'close_code', CLOSING.revoked, 'close_reason', 'revoked')
  -- It keeps its slot until its gateway has closed it.
  return { 'closing', gateway }
end
if state == 'revoked' and opened_at and not closed_at then
  return { 'closing', gateway }
end
return { 'ended' }
