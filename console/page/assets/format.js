// Numbers in the words of people.

const decimal = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const places = new Intl.DisplayNames('en', { type: 'region' });

/** count returns a number with its noun: "1 page", "2,000 pages". */
export function count(n, noun, nouns = noun + 's') {
  return `${decimal.format(n)} ${n === 1 ? noun : nouns}`;
}

/** size returns a number of bytes in the unit that fits. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  for (const unit of ['kB', 'MB', 'GB']) {
    bytes /= 1000;
    if (bytes < 999.95 || unit === 'GB') return `${decimal.format(bytes)} ${unit}`;
  }
}

/** clock returns the time of day with milliseconds, in the person's own zone. */
export function clock(at) {
  const two = (n) => String(n).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** milliseconds returns a round-trip time. */
export function milliseconds(ms) {
  return ms < 10 ? `${decimal.format(ms)} ms` : `${Math.round(ms)} ms`;
}

/** country returns the name behind a code of ISO 3166; ZZ is nowhere. */
export function country(code) {
  if (code === 'ZZ') return 'no country set';
  try {
    return places.of(code) ?? code;
  } catch {
    return code; // not a code at all
  }
}
