// The gateway as the page sees it: where its endpoints are, whose key is sent
// with each call, and what a refusal says.

const setting = (name) => document.querySelector(`meta[name="${name}"]`)?.content;

const base = new URL(setting('farwire-gateway') ?? './', document.baseURI);

/** needsKey is false where the host names its callers itself. */
export const needsKey = setting('farwire-key') !== 'none';

// The key lives here, in memory, for as long as the page is open.
let key = '';

/** useKey makes all further calls with this key; an empty string removes the key. */
export function useKey(given) {
  key = given;
}

/** credential is the part of a first message that says whose it is. */
export function credential() {
  return key ? { apiKey: key } : {};
}

/** A Refusal is an answer of the gateway's that is not the one asked for. */
export class Refusal extends Error {
  /**
   * @param {number} status of HTTP; 0 when there was no answer at all
   * @param {string} detail in the gateway's words
   * @param {number} [retryAfter] seconds
   */
  constructor(status, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/**
 * call makes a request and returns its answer, or throws a Refusal. When the
 * signal ends it, the signal's own error comes through.
 *
 * @param {string} path below the gateway
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function call(path, init = {}) {
  const headers = new Headers(init.headers);
  if (key) headers.set('X-API-Key', key);
  let response;
  try {
    response = await fetch(new URL(path, base), { cache: 'no-store', ...init, headers });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Refusal(0, '');
  }
  if (response.ok) return response;
  let detail = '';
  try {
    detail = String((await response.json()).detail ?? '');
  } catch {
    // Something in front of the gateway has answered; its status must do.
  }
  const retry = parseInt(response.headers.get('Retry-After') ?? '', 10);
  throw new Refusal(response.status, detail, Number.isNaN(retry) ? undefined : retry);
}

/** read asks an endpoint for its JSON. */
export async function read(path, init) {
  return (await call(path, init)).json();
}

/**
 * socket opens a WebSocket of the gateway's. A browser sets no header on one,
 * so what says whose it is must be in the query or in a first message.
 *
 * @param {string} path
 * @param {Record<string, string>} [query]
 */
export function socket(path, query = {}) {
  const url = new URL(path, base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = new URLSearchParams(query).toString();
  const ws = new WebSocket(url);
  ws.binaryType = 'arraybuffer';
  return ws;
}

/**
 * ticket returns what a socket's query is to say: a token of five minutes,
 * because addresses are written into logs and a key should not be. Who entered
 * a token for a key uses that; it cannot be changed for another.
 *
 * @returns {Promise<Record<string, string>>}
 */
export async function ticket(signal) {
  if (!key) return {};
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(key)) return { token: key };
  const { token } = await read('auth/token', { method: 'POST', signal });
  return { token };
}
