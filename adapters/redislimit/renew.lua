-- Says that a gateway is alive, and how many sessions it runs for some accounts.
--
-- KEYS[1] the sorted set of all gateways, then the hashes of accounts
-- ARGV: the gateway, how many microseconds it is alive, how many seconds a hash is
-- kept, then how many sessions it runs for each of the accounts
-- Returns: 1 when it was alive until now, else 0: then what it ran may have been
-- forgotten.

local me = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local alive = (tonumber(redis.call('ZSCORE', KEYS[1], me)) or 0) > now

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), me)
for i = 2, #KEYS do
  if tonumber(ARGV[i + 2]) > 0 then
    redis.call('HSET', KEYS[i], me, ARGV[i + 2])
    redis.call('EXPIRE', KEYS[i], ARGV[3])
  else
    redis.call('HDEL', KEYS[i], me)
  end
end
return {alive and 1 or 0}
