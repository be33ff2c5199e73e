--[[
  Counts events in a window of time, which begins with the first event.

  KEYS[1]  rate:<kind>:<digest>   the count

  ARGV[1]  length of the window, ms
  ARGV[2]  how many to add; 0 only reads

  Returns
    {count, ms until the window ends}   0 and 0 if nothing has been counted
]]
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if ARGV[2] ~= '0' then
  count = redis.call('INCRBY', KEYS[1], ARGV[2])
end
-- The first event begins the window. A count without an end would block somebody for ever.
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return { count, math.max(0, redis.call('PTTL', KEYS[1])) }
