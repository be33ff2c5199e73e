--[[
  Deletes the records of tickets that have ended, because their subject has too many of them.

  KEYS[1]  history:{digest}        the tickets that have ended
  KEYS[2]  and on: their records, in the order of ARGV[1] and on

  ARGV[1]  and on: members of the history

  Returns
    {'forgotten', count}   how many were deleted; a ticket that is not in the history has not ended, and stays
]]
local forgotten = 0
for index = 1, #ARGV do
  if redis.call('ZREM', KEYS[1], ARGV[index]) == 1 then
    redis.call('DEL', KEYS[index + 1])
    forgotten = forgotten + 1
  end
end
return { 'forgotten', forgotten }
