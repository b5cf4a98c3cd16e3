// The browser's parser of URLs (WHATWG), line by line: a URL as a JSON string comes in,
// its parts go out.
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  let parts = { ok: false };
  try {
    const { protocol, hostname, port, pathname, search, hash } = new URL(JSON.parse(line));
    parts = { ok: true, protocol, hostname, port, path: pathname + search, hash };
  } catch {
    // what the browser refuses
  }
  console.log(JSON.stringify(parts));
});
