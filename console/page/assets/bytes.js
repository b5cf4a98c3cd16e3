// Bytes as people write and read them.

/**
 * fromHex reads bytes in hexadecimal. Spaces, line breaks, colons, commas and
 * 0x may stand between them.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function fromHex(text) {
  const digits = text.replace(/0x|[\s:,]/gi, '');
  const wrong = digits.match(/[^0-9a-f]/i);
  if (wrong) throw new Error(`“${wrong[0]}” is not a hexadecimal digit.`);
  if (digits.length % 2) throw new Error('A byte is two digits; one is missing.');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/**
 * fromBase64 reads base64, of either alphabet, padded or not.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function fromBase64(text) {
  const plain = text.replace(/\s/g, '').replace(/-/g, '+').replace(/_/g, '/');
  try {
    return Uint8Array.from(atob(plain), (c) => c.charCodeAt(0));
  } catch {
    throw new Error('This is not base64.');
  }
}

/**
 * hexDump shows bytes sixteen to a line: where, what, and as ASCII.
 *
 * @param {Uint8Array} bytes
 */
export function hexDump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = Array.from(row, (b) => b.toString(16).padStart(2, '0')).join(' ');
    const ascii = Array.from(row, (b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : '·')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${ascii}`);
  }
  return lines.join('\n');
}

/**
 * utf8Length returns how many bytes a string is as UTF-8, without making them.
 *
 * @param {string} text
 */
export function utf8Length(text) {
  let n = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    n += unit < 0x800 ? 1 : 2;
    if (unit >= 0xd800 && unit < 0xdc00 && isLow(text.charCodeAt(i + 1))) i++; // a pair: two units, four bytes
  }
  return n;
}

const isLow = (unit) => unit >= 0xdc00 && unit < 0xe000;

/**
 * excerpt returns at most n units of a text, as a string of its own: a slice
 * would keep the whole text in memory. It cuts no pair in two.
 */
export function excerpt(text, n) {
  if (text.length <= n) return text;
  const end = isLow(text.charCodeAt(n)) ? n - 1 : n;
  return new TextDecoder().decode(new TextEncoder().encode(text.slice(0, end)));
}
