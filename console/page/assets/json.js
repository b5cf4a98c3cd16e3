/**
 * indent lays JSON out over lines, or returns null when the text is not JSON.
 * Only the space between its parts changes: JSON.stringify would round long
 * numbers and drop a name that comes twice.
 *
 * @param {string} text
 * @returns {string | null}
 */
export function indent(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const parts = text.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g);
  const out = [];
  let depth = 0;
  const newline = () => out.push('\n', '  '.repeat(Math.min(depth, deepest)));
  parts.forEach((part, i) => {
    const before = parts[i - 1];
    if (part === '}' || part === ']') {
      depth--;
      if (before !== '{' && before !== '[') newline();
    } else if (before === '{' || before === '[') {
      newline();
    }
    out.push(part);
    if (part === '{' || part === '[') depth++;
    else if (part === ',') newline();
    else if (part === ':') out.push(' ');
  });
  return out.join('');
}

const deepest = 40; // further levels are set in no more
