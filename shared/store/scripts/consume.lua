--[[
  Decides about a presented ticket, and spends it. The order of the decisions is the contract.

  KEYS[1]  ticket:{digest}random    the record
  KEYS[2]  connections:{digest}     the open connections
  KEYS[3]  pending:{digest}         the unspent tickets
  KEYS[4]  history:{digest}         the tickets that have ended
  KEYS[5]  and on: records of the subject's open connections that may be replaced, in the order of ARGV[14] and on

  ARGV[1]  ticket id
  ARGV[2]  SHA-256 of the presented secret, hex
  ARGV[3]  attempt id
  ARGV[4]  gateway id
  ARGV[5]  audience of the gateway, or '' for any
  ARGV[6]  path of the request
  ARGV[7]  origin of the request, or ''
  ARGV[8]  address of the client, or ''
  ARGV[9]  '1' if the ticket is bound to the address that asked for it
  ARGV[10] most open connections of one subject, 0 for no limit
  ARGV[11] at the limit: 'refuse' this connection, or 'replace' the oldest
  ARGV[12] lease, ms
  ARGV[13] retention, ms
  ARGV[14] and on: ids of the records in KEYS[5] and on

  Returns
    {'ticket_unknown'}            no such ticket, or a wrong secret; nothing is written
    {'ticket_revoked', subject}, {'ticket_consumed', subject}
                                  it was revoked or spent before; only the attempt is noted
    {'ticket_expired', subject}   it expired unspent; its state is 'expired'
    {'audience_refused', subject}, {'path_refused', subject}, {'origin_refused', subject},
    {'address_refused', subject}, {'connection_limit', subject}
                                  the ticket is spent, its state is 'refused'
    {'replace', {id, ...}}        at the limit with 'replace': the script has to be called again with the
                                  records of these open connections; nothing is written
    {'admitted', subject, audience or '', claims or '', client_claims or '', opened_at,
      session_expires_at, {replaced id, its gateway, ...}}
                                  the ticket is spent, its state is 'open'; times are Unix ms
  The attempt that spent a ticket gets the same answer again, or the refusal with which refuse.lua took its
  admission back. Nothing is written.
]]
local id, attempt, gateway, origin, address = ARGV[1], ARGV[3], ARGV[4], ARGV[7], ARGV[8]
local limit, lease, retention = tonumber(ARGV[10]), tonumber(ARGV[12]), tonumber(ARGV[13])

local stored = redis.call('HMGET', KEYS[1], 'secret_sha256', 'state', 'attempt', 'subject', 'audience', 'path',
  'origin', 'address', 'claims', 'client_claims', 'expires_at', 'session_expires_at', 'opened_at', 'issued_at')
local secret, state, decided, subject = stored[1], stored[2], stored[3], stored[4]
local bound_audience, bound_path, bound_origin, bound_address = stored[5], stored[6], stored[7], stored[8]
local claims, client_claims, expires_at = stored[9], stored[10], tonumber(stored[11])
local session_expires_at, opened_at, issued_at = stored[12], stored[13], stored[14]

if not secret or secret ~= ARGV[2] then
  return { 'ticket_unknown' }
end

write_even_when_full(KEYS[1])

local function admitted(at, replaced)
  return { 'admitted', subject, bound_audience or '', claims or '', client_claims or '', at,
    tonumber(session_expires_at), replaced }
end

local first_attempt, first_outcome = split_attempt(decided)
if first_attempt == attempt then
  if first_outcome == 'admitted' then
    return admitted(tonumber(opened_at), {})
  end
  return { first_outcome, subject }
end

local now = now_ms()
local member = member_of(id, issued_at, subject)

local function refuse_spent(outcome)
  note_attempt(KEYS[1], now, outcome, gateway, origin, address)
  return { outcome, subject }
end

if state == 'revoked' then return refuse_spent('ticket_revoked') end
if state == 'expired' then return refuse_spent('ticket_expired') end
-- 'open', 'closed' or 'refused'. A state that no script writes does not admit either.
if state ~= 'issued' then return refuse_spent('ticket_consumed') end

local function spend(new_state, outcome)
  redis.call('HSET', KEYS[1], 'state', new_state, 'attempt', attempt .. ':' .. outcome)
  redis.call('ZREM', KEYS[3], member)
  note_attempt(KEYS[1], now, outcome, gateway, origin, address)
end

local function refuse(outcome)
  spend(outcome == 'ticket_expired' and 'expired' or 'refused', outcome)
  drop_bindings(KEYS[1])
  end_ticket(KEYS[1], KEYS[4], member, expires_at + retention)
  return { outcome, subject }
end

if now >= expires_at then return refuse('ticket_expired') end
if ARGV[5] ~= '' and bound_audience ~= ARGV[5] then return refuse('audience_refused') end
if bound_path and bound_path ~= ARGV[6] then return refuse('path_refused') end
if bound_origin and bound_origin ~= origin then return refuse('origin_refused') end
if ARGV[9] == '1' and bound_address ~= address then return refuse('address_refused') end

-- A connection whose lease has lapsed takes no slot, even if it is still in the set.
local held = limit == 0 and {} or members_of(KEYS[2], subject, limit)
local replaced = {}
local excess = #held - limit + 1
if limit > 0 and excess > 0 then
  if ARGV[11] == 'refuse' then return refuse('connection_limit') end

  local ids, members = {}, {}
  for _, open in ipairs(held) do
    local open_id = id_of(open)
    table.insert(ids, open_id)
    members[open_id] = open
  end
  local candidates = {}
  for index = 14, #ARGV do
    if members[ARGV[index]] then
      local opened = redis.call('HMGET', KEYS[index - 9], 'opened_at', 'gateway', 'state')
      table.insert(candidates, { id = ARGV[index], key = KEYS[index - 9],
        opened_at = tonumber(opened[1] or 0), gateway = opened[2] or '', state = opened[3] })
    end
  end
  if #candidates < #held then return { 'replace', ids } end
  table.sort(candidates, function(a, b)
    if a.opened_at == b.opened_at then return a.id < b.id end
    return a.opened_at < b.opened_at
  end)
  for index = 1, excess do
    local oldest = candidates[index]
    -- A revoked connection keeps its reason. A lost record is not written again.
    if oldest.state == 'open' then
      redis.call('HSET', oldest.key, 'state', 'revoked', 'close_code', CLOSING.replaced, 'close_reason', 'replaced')
    end
    redis.call('ZREM', KEYS[2], members[oldest.id])
    table.insert(replaced, oldest.id)
    table.insert(replaced, oldest.gateway)
  end
end

spend('open', 'admitted')
redis.call('HSET', KEYS[1], 'gateway', gateway, 'opened_at', now)
keep_until(KEYS[1], now + lease + retention)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + lease, member)
keep_until(KEYS[2], now + lease)
return admitted(now, replaced)
