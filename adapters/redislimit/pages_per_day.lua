-- Counts the pages that an account crawls in a day.
--
-- The key holds a hash: pages granted, by the quarter of an hour of this
-- server's clock. A quarter counts until a day after its end; one that is to come is
-- that of a clock which was ahead and was set right, and counts as this quarter's.
--
-- KEYS[1] the account   ARGV: pages wanted, limit (not positive: none), then
-- pairs of a quarter and how many of its pages come back unused
-- Returns: pages granted, pages used with them, the quarter they are counted
-- in, microseconds until the next page is free.

local SPAN, LIVES = 900, 97 -- seconds of a quarter; quarters that count

local want, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local this = math.floor(time[1] / SPAN)

local count, quarters, used, ahead = {}, {}, 0, 0
local stored = redis.call('HGETALL', KEYS[1])
for i = 1, #stored, 2 do
  local quarter, n = tonumber(stored[i]), tonumber(stored[i + 1])
  if not quarter or not n or n <= 0 or this - quarter >= LIVES then
    redis.call('HDEL', KEYS[1], stored[i])
  elseif quarter > this then
    redis.call('HDEL', KEYS[1], stored[i])
    ahead = ahead + n
  else
    count[quarter] = n
  end
end
if ahead > 0 then
  redis.call('HINCRBY', KEYS[1], string.format('%.0f', this), string.format('%.0f', ahead))
  redis.call('EXPIRE', KEYS[1], (LIVES + 1) * SPAN)
  count[this] = (count[this] or 0) + ahead
end
for i = 3, #ARGV, 2 do
  local quarter = math.min(tonumber(ARGV[i]), this)
  if count[quarter] then
    local back = math.min(count[quarter], tonumber(ARGV[i + 1]))
    count[quarter] = count[quarter] - back
    redis.call('HINCRBY', KEYS[1], string.format('%.0f', quarter), string.format('%.0f', -back))
  end
end
for quarter, n in pairs(count) do
  quarters[#quarters + 1] = quarter
  used = used + n
end

local grant = math.max(want, 0)
if limit > 0 then grant = math.max(0, math.min(grant, limit - used)) end
if grant > 0 then
  redis.call('HINCRBY', KEYS[1], string.format('%.0f', this), string.format('%.0f', grant))
  redis.call('EXPIRE', KEYS[1], (LIVES + 1) * SPAN)
  return {grant, used + grant, this, 0}
end
if want <= 0 then return {0, used, this, 0} end

local over = used - limit
table.sort(quarters)
for _, quarter in ipairs(quarters) do
  over = over - count[quarter]
  if over < 0 then
    return {0, used, this, (quarter + LIVES) * SPAN * 1000000 - (time[1] * 1000000 + time[2])}
  end
end
return redis.error_reply('ERR the pages of a day do not add up')
