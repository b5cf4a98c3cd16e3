-- Counts one request of an account: the generic cell rate algorithm, in its
-- form as a leaky bucket (ITU-T I.371, annex A, "continuous-state").
--
-- The key holds "LEVEL AT": how many requests were in the bucket at a time, in
-- microseconds of this server's clock. It leaks RATE requests a second and a
-- request is let in when it fits, so over any window at most BURST + RATE x
-- window pass. The level is kept in requests and not, as is usual, as a time
-- when the bucket will be empty: then a change of the rate or the burst counts
-- from the next request on, for what is in the bucket too.
--
-- KEYS[1] the account   ARGV: rate a second, burst, 1 or 0 to ask only
-- Returns: 1 or 0 for passed or not, requests left at once, microseconds until
-- one passes.

local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local level, at = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) (%S+)$')
level, at = math.min(tonumber(level) or 0, burst), tonumber(at) or now

-- What is in the bucket some microseconds after AT. A request passes and the
-- time to wait is found by the same sum, so that they agree to the last bit.
local function after(elapsed)
  return math.max(0, level - elapsed * rate / 1000000)
end

-- An account whose bucket is empty is forgotten: it would find an empty one.
local function keep(level)
  local life = math.min(level / rate * 1000 + 1000, 365 * 86400 * 1000)
  redis.call('SET', KEYS[1], string.format('%.17g %.0f', level, now), 'PX', string.format('%.0f', life))
end

local set_back = at > now -- the clock was: a time in the future would stop the leak
if set_back then at = now end

if tonumber(ARGV[3]) == 0 then
  return {1, math.min(math.floor(burst - after(now - at)), 2^53), 0}
end

if after(now - at) + 1 <= burst then
  local filled = after(now - at) + 1
  keep(filled)
  return {1, math.min(math.floor(burst - filled), 2^53), 0} -- what an answer can hold
end
if set_back then keep(level) end

local wait = math.ceil((level + 1 - burst) / rate * 1000000)
while after(wait) + 1 > burst do
  wait = wait + math.max(1, wait * 4e-16) -- a step that a large number can feel
end
return {0, 0, math.min(wait - (now - at), 9e15)}
