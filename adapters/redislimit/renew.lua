-- Says that a gateway is alive, and how many sessions it runs for some accounts.
--
-- KEYS[1] the sorted set of all gateways, KEYS[2] since when this gateway has been
-- alive, as long as it is, then the hashes of accounts
-- ARGV: the gateway, how many microseconds it is alive, how many seconds a hash is
-- kept, then how many sessions it runs for each of the accounts
-- Returns: since when it has been alive. Where that is another time than before, what
-- it ran may have been forgotten.

local me = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local since = tonumber(redis.call('GET', KEYS[2]))
if not since or (tonumber(redis.call('ZSCORE', KEYS[1], me)) or 0) <= now then since = now end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
redis.call('SET', KEYS[2], string.format('%.0f', since), 'PX', math.floor(ARGV[2] / 1000))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), me)
for i = 3, #KEYS do
  if tonumber(ARGV[i + 1]) > 0 then
    redis.call('HSET', KEYS[i], me, ARGV[i + 1])
    redis.call('EXPIRE', KEYS[i], ARGV[3])
  else
    redis.call('HDEL', KEYS[i], me)
  end
end
return {since}
