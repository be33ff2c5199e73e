--[[
  Reads the records of one page of a subject's list, with the time and the deadlines of their leases. It reads the
  fields that a list shows, and writes nothing.

  KEYS[1]  connections:{digest}    the open connections
  KEYS[2]  and on: the records, in the order of ARGV[1] and on

  ARGV[1]  and on: members of pending:{digest} and connections:{digest}

  Returns
    {now, {lease deadline or 0, field, value, ...}, ...}   times are Unix ms; no fields if no record is kept
]]
local page = { now_ms() }
for index = 1, #ARGV do
  local found = { tonumber(redis.call('ZSCORE', KEYS[1], ARGV[index]) or 0) }
  local values = redis.call('HMGET', KEYS[index + 1], unpack(LISTED))
  for at, field in ipairs(LISTED) do
    if values[at] then
      table.insert(found, field)
      table.insert(found, values[at])
    end
  end
  table.insert(page, found)
end
return page
