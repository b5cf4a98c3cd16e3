// The same request as code: for a shell with curl or farwire, for JavaScript and
// for Python. Each function returns the programs by their language. A value is
// always quoted for its language, so that nothing in it becomes code.

/**
 * @typedef {{http: (path: string) => string, ws: (path: string) => string, token: string}} Gateway
 *   where the endpoints are, and what is shown to them; the token may be empty
 * @typedef {{curl?: string, JavaScript: string, Python: string, farwire?: string}} Snippets
 */

/** shell quotes a word for a POSIX shell. */
export const shell = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** json is a literal of JSON, which is one of JavaScript as well. */
const json = (value) => JSON.stringify(value, null, 2);

/** python is a literal of Python. */
export function python(value, depth = 0) {
  const inner = '    '.repeat(depth + 1);
  const outer = '    '.repeat(depth);
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value === null || value === undefined) return 'None';
  if (typeof value !== 'object') return JSON.stringify(value).replaceAll('\x7f', '\\x7f');
  const list = Array.isArray(value);
  const parts = list ? value.map((v) => python(v, depth + 1)) : Object.entries(value).map(([k, v]) => `${python(k)}: ${python(v, depth + 1)}`);
  const [first, last] = list ? '[]' : '{}';
  return parts.length ? `${first}\n${parts.map((part) => `${inner}${part},\n`).join('')}${outer}${last}` : first + last;
}

const lines = (words) => words.join(' \\\n  ');
const header = (name, value) => `--header ${shell(value === '' ? `${name};` : `${name}: ${value}`)}`;
const globs = (url) => (/[[\]{}]/.test(url) ? ['--globoff'] : []);
const withToken = (gateway) => (gateway.token ? { 'X-API-Key': gateway.token } : {});

/**
 * relay is a WebSocket; the request is the first message.
 *
 * @param {Gateway} gateway
 * @param {Record<string, any>} request
 * @returns {Snippets}
 */
export function relay(gateway, request) {
  const message = gateway.token ? { apiKey: gateway.token, ...request } : request;
  const direct = new URL(gateway.http('ws'));
  for (const name of ['url', 'geo', 'agent', 'session', 'idle_timeout', 'proxy']) {
    if (request[name] !== undefined) direct.searchParams.append(`fw_${name}`, request[name]);
  }
  for (const [name, value] of Object.entries(request.headers ?? {})) direct.searchParams.append('fw_header', `${name}: ${value}`);
  const flags = ['geo', 'agent', 'session', 'proxy'].filter((name) => request[name] !== undefined).map((name) => `--${name} ${shell(request[name])}`);
  return {
    curl: lines([
      'curl --include --no-buffer --http1.1', header('Connection', 'Upgrade'), header('Upgrade', 'websocket'),
      header('Sec-WebSocket-Version', '13'), header('Sec-WebSocket-Key', 'ZmFyd2lyZS1jb25zb2xlIQ=='),
      ...(request.subprotocols ? [header('Sec-WebSocket-Protocol', request.subprotocols.join(', '))] : []),
      ...(gateway.token ? [header('X-API-Key', gateway.token)] : []), shell(direct.href),
    ]),
    JavaScript: `const ws = new WebSocket(${json(gateway.ws('ws'))});
ws.onopen = () => ws.send(JSON.stringify(${json(message)}));
ws.onmessage = ({ data }) => console.log(data); // first {"type": "connected", …}, then the target's own
ws.onclose = ({ code, reason }) => console.log(code, reason);
`,
    Python: `import asyncio, json
import websockets  # pip install websockets

async def main():
    async with websockets.connect(${python(gateway.ws('ws'))}) as ws:
        await ws.send(json.dumps(${python(message, 2)}))
        async for message in ws:  # first {"type": "connected", …}, then the target's own
            print(message)

asyncio.run(main())
`,
    farwire: lines([
      `farwire relay ${shell(request.url)}`, `--gateway ${shell(gateway.ws('ws'))}`, ...(gateway.token ? [`--key ${shell(gateway.token)}`] : []), ...flags,
      ...Object.entries(request.headers ?? {}).map(([name, value]) => header(name, value)),
      ...(request.subprotocols ? [`--subprotocol ${shell(request.subprotocols.join(','))}`] : []),
    ]),
  };
}

/**
 * http is a request in the path form.
 *
 * @param {Gateway} gateway
 * @param {{method: string, path: string, headers: Record<string, string>, body: string | null}} request
 * @returns {Snippets}
 */
export function http(gateway, { method, path, headers, body }) {
  const url = gateway.http(path);
  const all = { ...withToken(gateway), ...headers };
  const plain = method === 'GET' && body === null;
  return {
    curl: lines([
      ...(method === 'HEAD' ? ['curl --head'] : [plain ? 'curl' : `curl --request ${shell(method)}`]),
      ...Object.entries(all).map(([name, value]) => header(name, value)),
      ...(body === null ? [] : [`--data-raw ${shell(body)}`]), ...globs(url), shell(url),
    ]),
    JavaScript: `const response = await fetch(${json(url)}, ${json({ ...(!plain && { method }), headers: all, ...(body !== null && { body }) })});
console.log(response.status, await response.text());
`,
    Python: `import requests  # pip install requests

response = requests.request(
    ${python(method)},
    ${python(url)},
    headers=${python(all, 1)},
${body === null ? '' : `    data=${python(body)}.encode(),\n`})
print(response.status_code, response.text)
`,
  };
}

/**
 * amqp is a stream of events.
 *
 * @param {Gateway} gateway
 * @param {Record<string, any>} request
 * @returns {Snippets}
 */
export function amqp(gateway, request) {
  const url = gateway.http('amqp');
  const headers = { 'Content-Type': 'application/json', ...withToken(gateway) };
  return {
    curl: lines(['curl --no-buffer', ...Object.entries(headers).map(([name, value]) => header(name, value)), `--data-raw ${shell(json(request))}`, shell(url)]),
    JavaScript: `const response = await fetch(${json(url)}, {
  method: 'POST',
  headers: ${json(headers)},
  body: JSON.stringify(${json(request)}),
});
for await (const text of response.body.pipeThrough(new TextDecoderStream())) console.log(text);
`,
    Python: `import requests  # pip install requests

with requests.post(
    ${python(url)},
    headers=${python(withToken(gateway), 1)},
    json=${python(request, 1)},
    stream=True,
) as response:
    for line in response.iter_lines(chunk_size=1, decode_unicode=True):
        print(line)
`,
  };
}

/**
 * crawl talks over a WebSocket, which curl cannot do; the command crawls from
 * where it is run.
 *
 * @param {Gateway} gateway
 * @param {Record<string, any>} request
 * @returns {Snippets}
 */
export function crawl(gateway, request) {
  const url = new URL(gateway.ws('ws/crawl'));
  if (gateway.token) url.searchParams.set('token', gateway.token);
  return {
    JavaScript: `const ws = new WebSocket(${json(url.href)});
ws.onopen = () => ws.send(JSON.stringify(${json(request)}));
ws.onmessage = ({ data }) => {
  const { type, content } = JSON.parse(data); // log, result, url, error
  console.log(type, content);
};
`,
    Python: `import asyncio, json
import websockets  # pip install websockets

async def main():
    async with websockets.connect(${python(url.href)}, max_size=None) as ws:
        await ws.send(json.dumps(${python(request, 2)}))
        async for message in ws:
            message = json.loads(message)  # log, result, url, error
            print(message["type"], message["content"])

asyncio.run(main())
`,
    farwire: lines([
      `farwire crawl ${shell(request.url)}`, `--max-pages ${request.maxPages}`, `--desc-length ${request.descLength}`, `--format ${shell(request.format)}`,
    ]),
  };
}
