--[[
  Notes an attempt that was refused before consume. The ticket stays unspent.

  KEYS[1]  ticket:{digest}random   the record

  ARGV[1]  SHA-256 of the presented secret, hex
  ARGV[2]  outcome: the code of the refusal
  ARGV[3]  gateway id
  ARGV[4]  origin of the request, or ''
  ARGV[5]  address of the client, or ''

  Returns
    {'noted', subject}
    {'ticket_unknown'}   no such ticket, or a wrong secret; nothing is written
]]
local stored = redis.call('HMGET', KEYS[1], 'secret_sha256', 'subject')
if not stored[1] or stored[1] ~= ARGV[1] then
  return { 'ticket_unknown' }
end
note_attempt(KEYS[1], now_ms(), ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return { 'noted', stored[2] }
