-- Takes a slot of an account: sessions of one kind that run at a time.
--
-- KEYS[1] a hash of the account: how many sessions run, by gateway
-- KEYS[2] a sorted set of all gateways, by the microsecond of this server's clock
-- until which each is alive
-- KEYS[3] since when this gateway has been alive, as long as it is
-- ARGV: the gateway, how many it wants to run, the limit, how many microseconds a
-- gateway counts as alive after its last call, how many seconds the hash is kept
-- Returns: 1 or 0 for taken or not, how many run with them, since when this gateway
-- has been alive.

local me, want, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local own, others = 0, 0
local stored = redis.call('HGETALL', KEYS[1])
for i = 1, #stored, 2 do
  local gateway, n = stored[i], tonumber(stored[i + 1]) or 0
  if gateway == me then
    own = n
  elseif (tonumber(redis.call('ZSCORE', KEYS[2], gateway)) or 0) > now then
    others = others + n
  else -- it is dead; one that was only frozen says again what it runs
    redis.call('HDEL', KEYS[1], gateway)
  end
end

local since = tonumber(redis.call('GET', KEYS[3]))
if not since or (tonumber(redis.call('ZSCORE', KEYS[2], me)) or 0) <= now then since = now end
redis.call('SET', KEYS[3], string.format('%.0f', since), 'PX', math.floor(ARGV[4] / 1000))
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[4]), me)
if others + want > limit then
  return {0, others + math.max(own, want - 1), since}
end
redis.call('HSET', KEYS[1], me, string.format('%.0f', want))
redis.call('EXPIRE', KEYS[1], ARGV[5])
return {1, others + want, since}
